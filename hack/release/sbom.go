// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// The parts of SPDX 2.3 that are used here.
type (
	spdxDocument struct {
		Version       string             `json:"spdxVersion"`
		DataLicense   string             `json:"dataLicense"`
		ID            string             `json:"SPDXID"`
		Name          string             `json:"name"`
		Namespace     string             `json:"documentNamespace"`
		Creation      spdxCreation       `json:"creationInfo"`
		Packages      []spdxPackage      `json:"packages"`
		Relationships []spdxRelationship `json:"relationships"`
	}
	spdxCreation struct {
		Created  time.Time `json:"created"`
		Creators []string  `json:"creators"`
	}
	spdxPackage struct {
		ID               string         `json:"SPDXID"`
		Name             string         `json:"name"`
		Version          string         `json:"versionInfo"`
		Purpose          string         `json:"primaryPackagePurpose"`
		Supplier         string         `json:"supplier"`
		DownloadLocation string         `json:"downloadLocation"`
		FilesAnalyzed    bool           `json:"filesAnalyzed"`
		Checksums        []spdxChecksum `json:"checksums,omitempty"`
		LicenseConcluded string         `json:"licenseConcluded"`
		LicenseDeclared  string         `json:"licenseDeclared"`
		Copyright        string         `json:"copyrightText"`
		References       []spdxRef      `json:"externalRefs,omitempty"`
	}
	spdxChecksum struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"checksumValue"`
	}
	spdxRef struct {
		Category string `json:"referenceCategory"`
		Type     string `json:"referenceType"`
		Locator  string `json:"referenceLocator"`
	}
	spdxRelationship struct {
		Element string `json:"spdxElementId"`
		Type    string `json:"relationshipType"`
		Related string `json:"relatedSpdxElement"`
	}
)

const (
	// What is not known of a package: SPDX asks to say so.
	noAssertion = "NOASSERTION"
	documentID  = "SPDXRef-DOCUMENT"
	licence     = "Apache-2.0"
	supplier    = "Organization: lxp-dev"
)

// sbom describes what to write.
type sbom struct {
	name, version, purpose string
	created                time.Time
	// subject is the file that the document is about, such as an archive; it may be empty.
	subject string
	// programs are the executables in it, and modules what is in it besides: "path version".
	programs, modules []string
}

func runSBOM(args []string, _ io.Reader, _ io.Writer) error {
	flags, parse := flagSet("sbom")
	var s sbom
	epoch := epochFlag(flags)
	flags.StringVar(&s.name, "name", "", "the name of what the SBOM is about")
	flags.StringVar(&s.version, "version", "", "its version")
	flags.StringVar(&s.purpose, "purpose", "APPLICATION", "its SPDX purpose")
	flags.StringVar(&s.subject, "subject", "", "the file whose checksum identifies it")
	output := flags.String("output", "", "the file to write")
	var modules listFlag
	flags.Var(&modules, "module", "a Go module that is in it, but not in a program: 'PATH VERSION'")
	if err := parse(args, "epoch", "name", "version", "output"); err != nil {
		return err
	}
	s.created, s.programs, s.modules = epoch(), flags.Args(), modules
	document, err := s.document()
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(*output, append(text, '\n'), 0o644)
}

// document makes the SBOM: the root, the programs that it contains, and what each of them was linked from. That is
// what the linker wrote into them, and not what go.mod asks for, which is more.
func (s sbom) document() (*spdxDocument, error) {
	if len(s.programs) == 0 {
		return nil, errors.New("name the programs")
	}
	root := ourPackage(s.name, s.version, s.purpose)
	if s.subject != "" {
		sum, err := sha256Of(s.subject)
		if err != nil {
			return nil, err
		}
		root.Checksums = []spdxChecksum{{"SHA256", sum}}
		root.DownloadLocation = assetURL(s.version, filepath.Base(s.subject))
	}
	document := &spdxDocument{
		Version: "SPDX-2.3", DataLicense: "CC0-1.0", ID: documentID, Name: s.name,
		// It has to be unique, and need not lead anywhere. The files of a release have names of their own.
		Namespace: assetURL(s.version, s.name+".spdx.json"),
		Creation:  spdxCreation{s.created, []string{supplier, "Tool: hack/release-" + s.version}},
		Packages:  []spdxPackage{root},
	}
	document.relate(documentID, "DESCRIBES", root.ID)
	modules := map[string]spdxPackage{}
	for _, program := range s.programs {
		if err := document.addProgram(root.ID, s.version, program, modules); err != nil {
			return nil, fmt.Errorf("%s: %w", program, err)
		}
	}
	for _, module := range s.modules {
		path, version, ok := strings.Cut(module, " ")
		if !ok {
			return nil, fmt.Errorf("--module %q is not of the form 'PATH VERSION'", module)
		}
		p := modulePackage(path, version)
		modules[p.ID] = p
		document.relate(root.ID, "CONTAINS", p.ID)
	}
	for _, p := range modules {
		document.Packages = append(document.Packages, p)
	}
	slices.SortFunc(document.Packages[1:], func(a, b spdxPackage) int { return cmp.Compare(a.ID, b.ID) })
	return document, nil
}

func (d *spdxDocument) addProgram(root, version, path string, modules map[string]spdxPackage) error {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return err
	}
	sum, err := sha256Of(path)
	if err != nil {
		return err
	}
	program := ourPackage(strings.TrimSuffix(filepath.Base(path), ".exe"), version, "APPLICATION")
	program.Checksums = []spdxChecksum{{"SHA256", sum}}
	if program.ID == root {
		return errors.New("the program has the same name as the SBOM: use another --name")
	}
	d.Packages = append(d.Packages, program)
	d.relate(root, "CONTAINS", program.ID)
	for _, p := range linked(info) {
		modules[p.ID] = p
		d.relate(program.ID, "DEPENDS_ON", p.ID)
	}
	return nil
}

// linked returns what a program was made of: the standard library, and modules. Where go.mod replaces a module, the
// replacement is what was compiled.
func linked(info *debug.BuildInfo) []spdxPackage {
	packages := []spdxPackage{modulePackage("stdlib", strings.TrimPrefix(info.GoVersion, "go"))}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		packages = append(packages, modulePackage(module.Path, module.Version))
	}
	return packages
}

func (d *spdxDocument) relate(element, how, related string) {
	d.Relationships = append(d.Relationships, spdxRelationship{element, how, related})
}

func ourPackage(name, version, purpose string) spdxPackage {
	return spdxPackage{
		ID: spdxID(name, version), Name: name, Version: version, Purpose: purpose, Supplier: supplier,
		DownloadLocation: project + "/releases/tag/" + version,
		LicenseConcluded: licence, LicenseDeclared: licence, Copyright: noAssertion,
	}
}

func modulePackage(path, version string) spdxPackage {
	// A plus sign stands for a blank in some readers of package URLs.
	purl := "pkg:golang/" + strings.ToLower(path) + "@" + strings.ReplaceAll(version, "+", "%2B")
	return spdxPackage{
		ID: spdxID(path, version), Name: path, Version: version, Purpose: "LIBRARY", Supplier: noAssertion,
		DownloadLocation: noAssertion, LicenseConcluded: noAssertion, LicenseDeclared: noAssertion, Copyright: noAssertion,
		References: []spdxRef{{"PACKAGE-MANAGER", "purl", purl}},
	}
}

var notInID = regexp.MustCompile(`[^a-zA-Z0-9.-]+`)

func spdxID(name, version string) string {
	return "SPDXRef-" + notInID.ReplaceAllString(name, "-") + "-" + notInID.ReplaceAllString(version, "-")
}
