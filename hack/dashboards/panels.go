// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// Units as Grafana names them.
const (
	number  = "short"
	perSec  = "reqps"
	share   = "percentunit"
	seconds = "s"
	octets  = "bytes"
)

// The height of panels, and the width of those that stand two and four in a row, in cells of a grid that has 24.
const (
	high = 8
	half = 12
	slim = 6
)

// query is an expression, and how the legend names what it yields.
type query struct{ expr, legend string }

// source is the data source that the variable of that name chooses.
func source() common.DataSourceRef {
	return common.DataSourceRef{Type: new("prometheus"), Uid: new("${datasource}")}
}

func target(q query) *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().Expr(q.expr).LegendFormat(q.legend).Range()
}

// lines shows how something develops.
func lines(title, about, unit string, queries ...query) *timeseries.PanelBuilder {
	panel := timeseries.NewPanelBuilder().Title(title).Description(about).Unit(unit).Datasource(source()).
		Height(high).Span(half).Min(0).LineWidth(1).FillOpacity(10).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending)).
		Legend(common.NewVizLegendOptionsBuilder().ShowLegend(true).DisplayMode(common.LegendDisplayModeTable).
			Placement(common.LegendPlacementRight).Calcs([]string{"lastNotNull", "max"}))
	for _, q := range queries {
		panel.WithTarget(target(q))
	}
	return panel
}

// hourly shows how many of something there were each hour, one upon the other.
func hourly(title, about string, queries ...query) *timeseries.PanelBuilder {
	return lines(title, about, number, queries...).Interval("1h").Decimals(0).
		DrawStyle(common.GraphDrawStyleBars).FillOpacity(80).
		Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal)).
		Legend(common.NewVizLegendOptionsBuilder().ShowLegend(true).DisplayMode(common.LegendDisplayModeTable).
			Placement(common.LegendPlacementRight).Calcs([]string{"sum"}))
}

// stacked shows parts of a whole.
func stacked(title, about string, queries ...query) *timeseries.PanelBuilder {
	return lines(title, about, number, queries...).FillOpacity(60).
		Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal))
}

// figure shows one number as it is now; from bad on it is red.
func figure(title, about, unit, expr string, bad float64) *stat.PanelBuilder {
	steps := []dashboard.Threshold{{Color: "green"}, {Color: "red", Value: new(bad)}}
	if bad == 0 {
		steps = []dashboard.Threshold{{Color: "blue"}}
	}
	return stat.NewPanelBuilder().Title(title).Description(about).Unit(unit).Datasource(source()).
		Height(high / 2).Span(slim).NoValue("-").
		ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"})).
		Thresholds(dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(steps)).
		WithTarget(target(query{expr, ""}))
}

// values is a variable with the values that a label has.
func values(name, label, from string) *dashboard.QueryVariableBuilder {
	all := dashboard.VariableOption{
		Text:  dashboard.StringOrArrayOfString{String: new("All")},
		Value: dashboard.StringOrArrayOfString{String: new("$__all")},
	}
	return dashboard.NewQueryVariableBuilder(name).Label(label).Datasource(source()).
		Query(dashboard.StringOrMap{String: new("label_values(" + from + ", " + name + ")")}).
		Refresh(dashboard.VariableRefreshOnTimeRangeChanged).Sort(dashboard.VariableSortAlphabeticalAsc).
		Multi(true).IncludeAll(true).AllValue(".+").Current(all)
}

// page begins a dashboard.
func page(uid, title, about, from string) *dashboard.DashboardBuilder {
	return dashboard.NewDashboardBuilder(title).Uid(uid).Description(about).Tags([]string{"course-completion-operator"}).
		Time(from, "now").Refresh("1m").Timezone("browser").Tooltip(dashboard.DashboardCursorSyncCrosshair).
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Data source").Type("prometheus"))
}

// row adds a row with its panels.
func row(to *dashboard.DashboardBuilder, title string, panels ...cog.Builder[dashboard.Panel]) {
	to.WithRow(dashboard.NewRowBuilder(title))
	for _, panel := range panels {
		to.WithPanel(panel)
	}
}
