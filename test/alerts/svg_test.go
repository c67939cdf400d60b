// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The size of a cell of the grid, and of what is around a plot, in pixels.
const (
	cellWidth, cellHeight = 50, 30
	headRoom, leftRoom    = 30, 46
	legendShare           = 0.36
	mostNamed             = 9
)

var colours = []string{
	"#5794f2", "#73bf69", "#f2cc0c", "#ff780a", "#b877d9", "#e02f44", "#37c2c4", "#8f3bb8", "#a3a3a3", "#c4162a",
}

// picture is a dashboard as SVG.
type picture struct {
	b       strings.Builder
	moments []time.Time
	bottom  float64
	title   string
}

func newPicture(title string, moments []time.Time) *picture {
	return &picture{moments: moments, title: title}
}

// String returns the whole.
func (p *picture) String() string {
	width, height := 24*cellWidth, int(p.bottom)+cellHeight+10
	const opening = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">`
	return fmt.Sprintf(opening+`
<rect width="100%%" height="100%%" fill="#f4f5f5"/>
<text x="10" y="24" font-size="18" fill="#222">%s</text>
%s</svg>
`, width, height, html.EscapeString(p.title), p.b.String())
}

func (p *picture) add(format string, args ...any) { fmt.Fprintf(&p.b, format+"\n", args...) }

func (p *picture) text(x, y float64, attributes, text string) {
	p.add(`<text x="%.0f" y="%.0f" fill="#444" %s>%s</text>`, x, y, attributes, html.EscapeString(text))
}

// panel draws one panel where the dashboard has it.
func (p *picture) panel(of *panel, curves []curve) {
	x, y := of.GridPos.X*cellWidth, of.GridPos.Y*cellHeight+cellHeight+5
	w, h := of.GridPos.W*cellWidth, of.GridPos.H*cellHeight
	p.bottom = max(p.bottom, y+h)
	if of.Type == "row" {
		p.text(x+10, y+20, `font-size="15"`, of.Title)
		return
	}
	p.add(`<rect x="%.0f" y="%.0f" width="%.0f" height="%.0f" rx="3" fill="#fff" stroke="#ddd"/>`, x+4, y+4, w-8, h-8)
	p.text(x+14, y+22, `font-weight="bold"`, of.Title)
	unit := of.FieldConfig.Defaults.Unit
	if of.Type == "stat" {
		value := "-"
		if len(curves) > 0 {
			value = shorten(last(curves[0].values), unit)
		}
		p.text(x+w/2, y+h/2+24, `font-size="30" text-anchor="middle"`, value)
		return
	}
	custom := of.FieldConfig.Defaults.Custom
	plot := frame{x + leftRoom, y + headRoom, w*(1-legendShare) - leftRoom - 10, h - headRoom - 34}
	stacked := custom.Stacking.Mode == "normal"
	top := highest(curves, stacked)
	p.axes(plot, top, unit)
	if stacked {
		p.stack(plot, curves, top, custom.DrawStyle == "bars")
	} else {
		for i, one := range curves {
			p.line(plot, one, top, colours[i%len(colours)])
		}
	}
	// What is counted hour by hour is summed up, as the dashboard does.
	value := last
	if custom.DrawStyle == "bars" {
		value = sum
	}
	p.legend(x+w*(1-legendShare)+6, y+headRoom+10, w*legendShare, curves, func(values []float64) string {
		return shorten(value(values), unit)
	})
}

// frame is where a plot is.
type frame struct{ x, y, w, h float64 }

// at returns the place of a value.
func (f frame) at(i, of int, value, top float64) (x, y float64) {
	return f.x + f.w*(float64(i)+0.5)/float64(of), f.y + f.h*(1-value/top)
}

func (p *picture) axes(f frame, top float64, unit string) {
	for _, part := range []float64{0, 0.5, 1} {
		y := f.y + f.h*(1-part)
		p.add(`<line x1="%.0f" y1="%.0f" x2="%.0f" y2="%.0f" stroke="#e5e5e5"/>`, f.x, y, f.x+f.w, y)
		p.text(f.x-5, y+4, `text-anchor="end"`, shorten(top*part, unit))
	}
	layout := "Mon 15:04"
	if p.moments[len(p.moments)-1].Sub(p.moments[0]) < time.Hour {
		layout = "15:04:05"
	}
	for _, i := range []int{0, len(p.moments) / 2, len(p.moments) - 1} {
		x, _ := f.at(i, len(p.moments), 0, 1)
		p.text(x, f.y+f.h+16, `text-anchor="middle"`, p.moments[i].UTC().Format(layout))
	}
}

// line draws one curve, with gaps where there is nothing.
func (p *picture) line(f frame, c curve, top float64, colour string) {
	var points []string
	flush := func() {
		if len(points) > 0 {
			p.add(`<polyline fill="none" stroke="%s" stroke-width="1.5" points="%s"/>`, colour, strings.Join(points, " "))
		}
		points = nil
	}
	for i, value := range c.values {
		if math.IsNaN(value) {
			flush()
			continue
		}
		x, y := f.at(i, len(c.values), value, top)
		points = append(points, fmt.Sprintf("%.1f,%.1f", x, y))
	}
	flush()
}

// stack draws the curves one upon the other, as bars, or as bars without gaps.
func (p *picture) stack(f frame, curves []curve, top float64, gaps bool) {
	sums := make([]float64, len(p.moments))
	width := f.w / float64(len(p.moments))
	if gaps {
		width *= 0.8
	}
	for i, one := range curves {
		for j, value := range one.values {
			if math.IsNaN(value) || value <= 0 {
				continue
			}
			x, y := f.at(j, len(p.moments), sums[j]+value, top)
			sums[j] += value
			p.add(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`, x-width/2, y, width, f.h*value/top,
				colours[i%len(colours)])
		}
	}
}

func (p *picture) legend(x, y, width float64, curves []curve, value func([]float64) string) {
	for i, one := range curves {
		if i == mostNamed && len(curves) > mostNamed+1 {
			p.text(x, y+float64(i)*17, "", fmt.Sprintf("and %d more", len(curves)-mostNamed))
			return
		}
		name, most := one.name, int(width/6)-9
		if name == "" {
			name = "(by hand)"
		}
		if len(name) > most {
			name = name[:most] + "…"
		}
		p.add(`<rect x="%.0f" y="%.0f" width="10" height="10" fill="%s"/>`, x, y+float64(i)*17-9, colours[i%len(colours)])
		p.text(x+15, y+float64(i)*17, "", name+"  "+value(one.values))
	}
}

// last returns the last value that is one.
func last(values []float64) float64 {
	for _, value := range slices.Backward(values) {
		if !math.IsNaN(value) {
			return value
		}
	}
	return math.NaN()
}

func sum(values []float64) float64 {
	total := 0.0
	for _, value := range values {
		if !math.IsNaN(value) {
			total += value
		}
	}
	return math.Round(total)
}

// highest returns where the axis ends.
func highest(curves []curve, stacked bool) float64 {
	sums := map[int]float64{}
	top := 0.0
	for _, one := range curves {
		for i, value := range one.values {
			if math.IsNaN(value) {
				continue
			}
			if stacked {
				sums[i] += max(0, value)
				value = sums[i]
			}
			top = max(top, value)
		}
	}
	if top <= 0 {
		return 1
	}
	step := math.Pow(10, math.Floor(math.Log10(top)))
	return math.Ceil(top/step*2) / 2 * step
}

// shorten writes a value in its unit.
func shorten(value float64, unit string) string {
	switch {
	case math.IsNaN(value):
		return "-"
	case unit == "percentunit":
		return strconv.FormatFloat(100*value, 'g', 3, 64) + "%"
	case unit == "bytes":
		return strconv.FormatFloat(value/(1<<20), 'f', 0, 64) + " MiB"
	case unit == "s" && value < 1:
		return strconv.FormatFloat(1000*value, 'g', 3, 64) + " ms"
	case unit == "s":
		return strconv.FormatFloat(value, 'g', 3, 64) + " s"
	case unit == "reqps":
		return strconv.FormatFloat(value, 'g', 2, 64) + "/s"
	case value >= 1000:
		return strconv.FormatFloat(value/1000, 'g', 3, 64) + "k"
	}
	return strconv.FormatFloat(value, 'g', 3, 64)
}
