// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// spdxcheck reads SPDX documents (JSON) with the library of the SPDX project, and says what is wrong with them:
// spdxcheck FILE... It also asks for what a reader of an SBOM needs, and the specification leaves optional: a name, a
// version and an identifier of each package.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx"
	"github.com/spdx/tools-golang/spdxlib"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: spdxcheck FILE...")
		os.Exit(2)
	}
	failed := false
	for _, path := range os.Args[1:] {
		if err := check(path); err != nil {
			failed = true
			fmt.Fprintf(os.Stderr, "spdxcheck: %s: %v\n", path, err)
		}
	}
	if failed {
		os.Exit(1)
	}
}

func check(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	document, err := json.Read(file)
	if err != nil {
		return fmt.Errorf("it is no SPDX document: %w", err)
	}
	if err := spdxlib.ValidateDocument(document); err != nil {
		return fmt.Errorf("it does not hold together: %w", err)
	}
	described, err := spdxlib.GetDescribedPackageIDs(document)
	if err != nil || len(described) != 1 {
		return fmt.Errorf("it has to describe one package, and describes %d: %w", len(described), err)
	}
	return errors.Join(checkPackages(document, described[0])...)
}

func checkPackages(document *spdx.Document, described spdx.ElementID) []error {
	var faults []error
	reached := map[spdx.ElementID]bool{described: true}
	for _, r := range document.Relationships {
		reached[r.RefB.ElementRefID] = true
	}
	for _, p := range document.Packages {
		name := fmt.Sprintf("package %q (%s)", p.PackageName, p.PackageSPDXIdentifier)
		if p.PackageName == "" || p.PackageVersion == "" {
			faults = append(faults, fmt.Errorf("%s has no name or no version", name))
		}
		if len(p.PackageChecksums) == 0 && len(p.PackageExternalReferences) == 0 &&
			p.PackageSPDXIdentifier != described {
			faults = append(faults, fmt.Errorf("%s has neither a checksum nor a package URL", name))
		}
		if !reached[p.PackageSPDXIdentifier] {
			faults = append(faults, fmt.Errorf("nothing says why %s is there", name))
		}
	}
	return faults
}
