// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cmdutil

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Formats that are no data. The others are those of kubectl's own printers.
const (
	// Table is what people read. It is what every command prints that is not told otherwise.
	Table = "table"
	// Wide is the table with more columns, where it has more.
	Wide = "wide"
	// Name is resource/name, for commands whose rows are objects of the API.
	Name = "name"
	// CSV is for spreadsheets.
	CSV = "csv"
)

// noHeaders is the help of --no-headers, which is the same everywhere.
const noHeaders = "Print tables without headers and notes. Output without a table is not affected."

// Output are the flags -o and --no-headers. Every command has them, with the same formats and the same meaning:
//
//   - table, which is the default, and wide;
//   - json, yaml, kyaml and the templates, all of the same data, which has an apiVersion and a kind;
//   - name where the rows are objects of the API.
type Output struct {
	NoHeaders bool

	format format
	// kind is that of the data.
	kind      string
	data      *genericclioptions.JSONYamlPrintFlags
	templates *genericclioptions.KubeTemplatePrintFlags
	printer   printers.ResourcePrinter
}

// AddFlags adds -o and --no-headers. The kind is that of the data, and special are the formats that not every command
// has, Name and CSV.
func (o *Output) AddFlags(cmd *cobra.Command, kind string, special ...string) {
	o.add(cmd, kind, append([]string{Table, Wide}, special...))
}

// AddDataFlags is AddFlags for a command that prints nothing but data.
func (o *Output) AddDataFlags(cmd *cobra.Command, kind string) { o.add(cmd, kind, nil) }

// add adds the flags. The first format is the one that is printed where none is asked for.
func (o *Output) add(cmd *cobra.Command, kind string, formats []string) {
	o.kind = kind
	o.data, o.templates = genericclioptions.NewJSONYamlPrintFlags(), genericclioptions.NewKubeTemplatePrintFlags()
	o.format.allowed = slices.Concat(formats, o.data.AllowedFormats(), o.templates.AllowedFormats())
	o.format.text = o.format.allowed[0]
	flags := cmd.Flags()
	flags.VarP(&o.format, "output", "o", "Output format. One of: ("+strings.Join(o.format.allowed, ", ")+").")
	flags.BoolVar(&o.NoHeaders, "no-headers", false, noHeaders)
	o.templates.AddFlags(cmd)
	_ = cmd.RegisterFlagCompletionFunc("output", func(
		*cobra.Command, []string, string,
	) ([]string, cobra.ShellCompDirective) {
		return slices.Clone(o.format.allowed), cobra.ShellCompDirectiveNoFileComp
	})
	// A template that is missing or wrong is refused before anything is done.
	before := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if before != nil {
			if err := before(cmd, args); err != nil {
				return err
			}
		}
		return o.prepare()
	}
}

// format is the value of -o. A format that the command does not have is refused before it does anything.
type format struct {
	text    string
	given   bool
	allowed []string
}

// String returns the format.
func (f *format) String() string { return f.text }

// Type is shown in help texts.
func (f *format) Type() string { return "string" }

// Set takes a format, or a format=template.
func (f *format) Set(text string) error {
	name, _, template := strings.Cut(text, "=")
	if !template {
		name = strings.ToLower(name)
		text = name
	}
	if slices.Contains(f.allowed, name) {
		f.text, f.given = text, true
		return nil
	}
	all := strings.Join(f.allowed, ", ")
	switch name {
	case Name:
		return fmt.Errorf("what this prints has no name in the API: use one of %s", all)
	case Table, Wide:
		return fmt.Errorf("this prints data, and no table: use one of %s", all)
	}
	return fmt.Errorf("use one of %s", all)
}

// SetKind says of which kind the data is, for a command that prints data of several kinds.
func (o *Output) SetKind(kind string) { o.kind = kind }

// Text reports whether people read the output, as a table or as a text.
func (o *Output) Text() bool { return o.Is(Table) || o.Is(Wide) }

// Is reports whether a format was chosen.
func (o *Output) Is(name string) bool {
	// As kubectl has it, a template needs no -o.
	return cmp.Or(o.format.text, Table) == name &&
		(o.format.given || o.templates == nil || *o.templates.TemplateArgument == "")
}

// isData reports whether the output is neither for people nor special.
func (o *Output) isData() bool { return !o.Text() && !o.Is(Name) && !o.Is(CSV) }

// prepare makes the printer of data.
func (o *Output) prepare() error {
	if !o.isData() {
		return nil
	}
	flags := genericclioptions.PrintFlags{
		JSONYamlPrintFlags: o.data, TemplatePrinterFlags: o.templates, OutputFormat: &o.format.text,
		TypeSetterPrinter:   printers.NewTypeSetter(Scheme),
		OutputFlagSpecified: func() bool { return o.format.given },
	}
	var err error
	if o.printer, err = flags.ToPrinter(); err != nil {
		return Usagef("-o %s: %w", o.format.text, err)
	}
	return nil
}

// Document prints data, and reports whether that is what was asked for. Rows are printed as the items of a list.
func (o *Output) Document(out io.Writer, value any) (bool, error) {
	if !o.isData() {
		return false, nil
	}
	return true, o.printer.PrintObj(&document{o.kind, value}, out)
}

// Objects prints objects of the API as data, several of them as a List, and reports whether that is what was asked for.
func (o *Output) Objects(out io.Writer, objects ...*unstructured.Unstructured) (bool, error) {
	if !o.isData() {
		return false, nil
	}
	if len(objects) == 1 {
		return true, o.printer.PrintObj(objects[0], out)
	}
	all := &unstructured.UnstructuredList{Object: map[string]any{"apiVersion": "v1", "kind": "List"}}
	for _, object := range objects {
		all.Items = append(all.Items, *object)
	}
	return true, o.printer.PrintObj(all, out)
}

// Names prints objects by resource/name, and reports whether that is what was asked for.
func (o *Output) Names(out io.Writer, objects ...client.Object) (bool, error) {
	if !o.Is(Name) {
		return false, nil
	}
	return true, named(out, "", objects...)
}

func named(out io.Writer, operation string, objects ...client.Object) error {
	printer := printers.NewTypeSetter(Scheme).ToPrinter(
		&printers.NamePrinter{Operation: operation, ShortOutput: operation == ""})
	for _, object := range objects {
		if err := printer.PrintObj(object, out); err != nil {
			return err
		}
	}
	return nil
}

// Table prints rows in aligned columns, with headers unless they are not wanted.
func (o *Output) Table(out io.Writer, headers []string, rows [][]string) error {
	if o.NoHeaders {
		headers = nil
	}
	return Rows(out, headers, rows)
}

// Rows prints rows in aligned columns, as kubectl does; nil headers print none.
func Rows(out io.Writer, headers []string, rows [][]string) error {
	w := printers.GetNewTabWriter(out)
	if headers != nil {
		fmt.Fprintln(w, strings.Join(headers, "\t"))
	}
	for _, row := range rows {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}
