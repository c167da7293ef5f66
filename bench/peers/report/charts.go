package main

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// A chart has a curve for each of some rows, over their sizes.
type chart struct {
	file, title string
	y           string
	logY        bool
	curves      func(rs *results) []curve
}

type curve struct {
	label  string
	points plotter.XYs
	color  color.Color
	width  float64
	dashed bool
}

var charts = []chart{
	{"mask-gbps", "Masking the payloads of a 64 KiB buffer, GB/s", "GB/s", false, func(rs *results) []curve {
		return rs.curves("peers.Mask", maskLines, nil, gbps)
	}},
	{"mask-ns", "Masking the payloads of a 64 KiB buffer, ns", "ns for each payload", true, func(rs *results) []curve {
		return rs.curves("peers.Mask", maskLines, nil, nanoseconds)
	}},
	{"parse", "Parsing and unmasking binary frames, refill included, ns", "ns for each frame", true, func(rs *results) []curve {
		return rs.curves("peers.Parse", parseLines, []string{"type=binary"}, nanosecondsPerFrame)
	}},
	{"utf8", "Validating UTF-8, GB/s", "GB/s", true, utf8Curves},
}

// serverCharts are of what bench/server.sh measures.
var serverCharts = []chart{
	{"echo", "Processor time of the server per echoed message, 50 connections, 1 outstanding, µs", "µs for each message", true, serverCurves},
}

// serverCurves has one for each server. The raw loops, which know no WebSocket, are dashed.
func serverCurves(rs *results) (cs []curve) {
	for _, kind := range serverKinds {
		c := curve{label: kind, color: colors[kind], width: 1.4, dashed: strings.HasPrefix(kind, "raw")}
		if kind == "hybi" {
			c.width = 3
		}
		c.points = points(rs.all("bench.Echo", "server="+kind, "conns=50", "outstanding=1"), microsecondsOfServer)
		if len(c.points) > 0 {
			cs = append(cs, c)
		}
	}
	return cs
}

var (
	maskLines  = []string{"hybi", "copy", "gobwas", "coder", "gws", "nbio", "gorilla", "fasthttp", "xorbytes"}
	parseLines = []string{"hybi", "hybi-batch", "refill", "gobwas", "gorilla", "fasthttp", "gws", "nbio", "coder", "xnet"}
)

// What a chart shows of a row.
func gbps(w *row) float64                 { return median(w.values["B/s"]) / 1e9 }
func nanoseconds(w *row) float64          { return median(w.values[seconds]) * 1e9 }
func microsecondsOfServer(w *row) float64 { return median(w.values[cpuTime]) * 1e6 }
func nanosecondsPerFrame(w *row) float64  { return median(w.values["sec/frame"]) * 1e9 }

// curves returns one for each implementation that was measured.
func (rs *results) curves(name string, impls, keys []string, y func(*row) float64) (cs []curve) {
	for _, impl := range impls {
		c := curve{label: impl, color: colors[impl], width: 1.4}
		switch impl {
		case "hybi", "hybi-batch":
			c.width = 3
		case "copy", "refill", "xorbytes":
			c.dashed = true
		}
		c.points = points(rs.best(name, append([]string{"impl=" + impl}, keys...)...), y)
		if len(c.points) > 0 {
			cs = append(cs, c)
		}
	}
	return cs
}

func points(rows []*row, y func(*row) float64) (xys plotter.XYs) {
	for _, w := range rows {
		if w.size() != math.MaxInt { // not a mixture
			xys = append(xys, plotter.XY{X: float64(w.size()), Y: y(w)})
		}
	}
	return xys
}

// utf8Curves has two of one colour for each text: ours, and the library's dashed.
func utf8Curves(rs *results) (cs []curve) {
	texts := []string{}
	for _, w := range rs.all("codec.UTF8", "impl=std") {
		if len(texts) == 0 || w.size() == rs.one("codec.UTF8", "impl=std").size() {
			texts = append(texts, w.keys["text"])
		}
	}
	for i, text := range texts {
		for _, impl := range []string{rs.validator(), "std"} {
			c := curve{label: "hybi, " + text, color: palette[i%len(palette)], width: 2.5}
			if impl == "std" {
				c.label, c.width, c.dashed = "std, "+text, 1.4, true
			}
			c.points = points(rs.all("codec.UTF8", "impl="+impl, "text="+text), gbps)
			cs = append(cs, c)
		}
	}
	return cs
}

// Dark on a light ground of its own, so that it can be read on any page; told apart
// by the colour-blind (Okabe and Ito).
var (
	ground  = color.RGBA{0xFC, 0xFC, 0xFA, 0xFF}
	ink     = color.RGBA{0x20, 0x20, 0x20, 0xFF}
	faint   = color.RGBA{0xE0, 0xE0, 0xDC, 0xFF}
	orange  = color.RGBA{0xD5, 0x5E, 0x00, 0xFF}
	blue    = color.RGBA{0x00, 0x72, 0xB2, 0xFF}
	green   = color.RGBA{0x00, 0x9E, 0x73, 0xFF}
	pink    = color.RGBA{0xCC, 0x79, 0xA7, 0xFF}
	sky     = color.RGBA{0x56, 0xB4, 0xE9, 0xFF}
	mustard = color.RGBA{0xB0, 0x90, 0x00, 0xFF}
	grey    = color.RGBA{0x7F, 0x7F, 0x7F, 0xFF}
	brown   = color.RGBA{0x8A, 0x4B, 0x2A, 0xFF}
	violet  = color.RGBA{0x6A, 0x3D, 0x9A, 0xFF}

	// The same library has the same colour in each chart.
	colors = map[string]color.Color{
		"hybi": orange, "hybi-batch": brown, "copy": ink, "refill": ink, "xorbytes": brown,
		"raw": ink, "rawc": brown, "gnet": violet,
		"gobwas": blue, "coder": green, "gws": pink, "nbio": sky, "gorilla": mustard, "fasthttp": grey, "xnet": violet,
	}
	palette = []color.Color{orange, blue, green, ink, pink, sky, mustard, violet}
)

// drawCharts writes all of the charts, or none if the run lacks samples for one.
func drawCharts(rs *results, charts []chart, commit, dir string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	drawn := map[string][]byte{}
	caption := fmt.Sprintf("size, octets\nhybi %s, %s, %s", commit, rs.cpu, runtime.Version())
	for _, c := range charts {
		curves := c.curves(rs)
		if len(curves) == 0 {
			return fmt.Errorf("%s: no samples in this run", c.file)
		}
		svg, err := c.draw(curves, caption)
		if err != nil {
			return fmt.Errorf("%s: %w", c.file, err)
		}
		drawn[c.file] = svg
	}
	for file, svg := range drawn {
		if err := os.WriteFile(filepath.Join(dir, file+".svg"), svg, 0o666); err != nil {
			return err
		}
	}
	return nil
}

func (c *chart) draw(curves []curve, caption string) ([]byte, error) {
	p := plot.New()
	p.BackgroundColor = ground
	p.Title.Text = c.title
	p.Title.Padding = vg.Points(22)
	for _, style := range []*draw.TextStyle{&p.Title.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label} {
		style.Color = ink
		style.Font = font.Font{Typeface: "Liberation", Variant: "Sans", Size: 10}
	}
	p.Title.TextStyle.Font.Size = 13
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.TickerFunc(sizeTicks)
	if c.logY {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.TickerFunc(roundTicks)
	} else {
		p.Y.Min = 0
	}
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = faint, faint
	p.Add(grid)

	legend := plot.NewLegend()
	legend.TextStyle.Color, legend.TextStyle.Font = ink, p.X.Tick.Label.Font
	legend.Top, legend.Left = true, true
	legend.ThumbnailWidth, legend.Padding = vg.Points(22), vg.Points(3)
	for i := range curves {
		line, err := curves[len(curves)-1-i].line() // the first above all others
		if err != nil {
			return nil, err
		}
		p.Add(line)
	}
	for _, cv := range curves {
		line, err := cv.line()
		if err != nil {
			return nil, err
		}
		legend.Add(cv.label, line)
	}
	return paint(p, legend, c.y, caption)
}

func (cv *curve) line() (*plotter.Line, error) {
	line, err := plotter.NewLine(cv.points)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cv.label, err)
	}
	line.Color, line.Width = cv.color, vg.Points(cv.width)
	if cv.dashed {
		line.Dashes = []vg.Length{vg.Points(5), vg.Points(3)}
	}
	return line, nil
}

// In points.
const (
	chartWidth  = 560
	chartHeight = 360
	legendWidth = 90
	captionTop  = 36
)

// paint returns the chart with its legend at the right. What the axes show, and the
// caption below, are not left to the plot: it looks for the middle of a logarithmic
// axis in the wrong place, and would make room there for the text.
func paint(p *plot.Plot, legend plot.Legend, y, caption string) ([]byte, error) {
	canvas := vgsvg.New(vg.Points(chartWidth), vg.Points(chartHeight))
	all := draw.New(canvas)
	all.SetColor(ground)
	all.Fill(all.Rectangle.Path())
	p.Draw(draw.Crop(all, vg.Points(8), -vg.Points(legendWidth+8), vg.Points(captionTop), -vg.Points(8)))
	legend.Draw(draw.Crop(all, vg.Points(chartWidth-legendWidth), 0, 0, -vg.Points(30)))
	style := p.X.Tick.Label
	style.XAlign, style.YAlign = draw.XLeft, draw.YTop
	all.FillText(style, vg.Point{X: vg.Points(12), Y: vg.Points(chartHeight - 30)}, y)
	style.XAlign, style.YAlign = draw.XCenter, draw.YTop
	all.FillText(style, vg.Point{X: vg.Points((chartWidth - legendWidth) / 2), Y: vg.Points(captionTop)}, caption)
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, err
	}
	// Where the font is not installed another without serifs is to take its place.
	return bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;")), nil
}

// sizeTicks marks every power of four.
func sizeTicks(least, most float64) (ticks []plot.Tick) {
	for n := 1; n <= 1<<20; n *= 4 {
		if float64(n) < least || float64(n) > most {
			continue
		}
		label := fmt.Sprint(n)
		if n >= 1024 {
			label = fmt.Sprintf("%d Ki", n/1024)
		}
		ticks = append(ticks, plot.Tick{Value: float64(n), Label: label})
	}
	return ticks
}

// roundTicks marks 1, 2 and 5 of every decade.
func roundTicks(least, most float64) (ticks []plot.Tick) {
	for decade := 1e-3; decade <= most; decade *= 10 {
		for _, n := range []float64{1, 2, 5} {
			if v := n * decade; v >= least && v <= most {
				ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprintf("%g", math.Round(v*1000)/1000)})
			}
		}
	}
	return ticks
}
