// The dashboards, made with Grafana's own types. In a module of its own, which keeps them out of the product's dependencies.
module github.com/lxp-dev/course-completion-operator/hack/dashboards

go 1.26.7

require github.com/grafana/grafana-foundation-sdk/go v0.0.22
