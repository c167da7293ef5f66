package main

// loadFields tells of -json in the help; a test holds it against loadReport.
const loadFields = `
The fields of -json, "whole run" being what counts outside of the measured time, too:

    url                            as given
    subprotocol                    what the server chose; left out if nothing
    type                           text or binary
    size_min_octets                the smallest message
    size_max_octets                the largest message
    outstanding_per_connection     messages that may be without an echo
    rate_wanted_per_second         -rate; 0 is as fast as echoes come
    verify                         whether all octets of an echo were compared
    loops                          event loops
    duration_wanted_seconds        -duration
    ramp_seconds                   -ramp
    warmup_wanted_seconds          -warmup
    timeout_seconds                -timeout
    interrupted                    whether a signal ended it early
    warmup_seconds                 from the start to the measured time, dialing included
    measured_seconds               the measured time as it was
    echoes_measured                echoes that came in it, wrong ones left out
    echoes_per_second              those, by the measured time
    octets_per_second              their payload, by the measured time
    messages_sent                  whole run
    echoes_received                whole run, wrong ones included
    messages_over_backlog          due when the backlog was full, and so not sent
    messages_never_sent            left in a backlog at the end
    messages_without_echo          sent, on connections that were open to the end
    messages_lost_with_connection  sent or due, without an echo when their connection ended
    connections_wanted             -conns
    connections_dialed             opening handshakes that were begun
    connections_opened             opening handshakes that succeeded
    connections_closed_cleanly     at the end, with the server's close frame
    connections_close_unanswered   at the end, without it
    connections_failed             not opened, a count for each cause
    connections_lost               ended before the end, a count for each cause
    wrong_echoes                   whole run, a count for each kind
    latency                        of messages that were due in the measured time
    send_delay                     with -rate: from due to sent, where nothing was in the way
    latency_histogram              steps: each counts what took up_to_ns, and more than the
                                   step before
    generator_processor_seconds    what the generator used in the measured time
    generator_processor_share      the same, by what its loops can use
    generator_waited_share         by the measured time: its loops' wait for a processor
    generator_bottleneck           why the generator may have been one, or empty

latency and send_delay have count, min_ns, mean_ns, p50_ns, p90_ns, p99_ns, p99_9_ns,
p99_99_ns and max_ns; a step has up_to_ns and count. They are 0 where nothing was counted.
`
