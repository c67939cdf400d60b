// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// vexDocument is an OpenVEX document, with the fields that govulncheck writes.
type vexDocument struct {
	Context    string         `json:"@context"`
	ID         string         `json:"@id"`
	Author     string         `json:"author"`
	Timestamp  time.Time      `json:"timestamp"`
	Version    int            `json:"version"`
	Tooling    string         `json:"tooling,omitempty"`
	Statements []vexStatement `json:"statements"`
}

type vexStatement struct {
	Vulnerability struct {
		ID          string   `json:"@id,omitempty"`
		Name        string   `json:"name"`
		Description string   `json:"description,omitempty"`
		Aliases     []string `json:"aliases,omitempty"`
	} `json:"vulnerability"`
	Products        []vexProduct `json:"products"`
	Status          string       `json:"status"`
	Justification   string       `json:"justification,omitempty"`
	ImpactStatement string       `json:"impact_statement,omitempty"`
	ActionStatement string       `json:"action_statement,omitempty"`
}

type vexProduct struct {
	ID            string         `json:"@id"`
	Subcomponents []vexComponent `json:"subcomponents,omitempty"`
}

type vexComponent struct {
	ID string `json:"@id"`
}

func runVEX(args []string, in io.Reader, out io.Writer) error {
	flags, parse := flagSet("vex")
	epoch := epochFlag(flags)
	version := flags.String("version", "", "the version of the release, such as v0.1.0")
	image := flags.String("image", "", "the image, with its digest")
	var actions listFlag
	flags.Var(&actions, "action", "ID=TEXT: what users can do about a vulnerability of this release")
	if err := parse(args, "epoch", "version", "image"); err != nil {
		return err
	}
	var document vexDocument
	if err := json.NewDecoder(in).Decode(&document); err != nil {
		return fmt.Errorf("read the output of govulncheck -format openvex: %w", err)
	}
	if len(document.Statements) == 0 {
		// The specification has no documents that state nothing: there is no file then.
		return nil
	}
	product, err := imagePURL(*image)
	if err != nil {
		return err
	}
	document.Author = project
	document.ID = assetURL(*version, "openvex.json")
	document.Timestamp = epoch()
	if err := document.complete(product, actions); err != nil {
		return err
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(document)
}

// complete puts the product in, and what users can do about what it is affected by. govulncheck knows neither.
func (d *vexDocument) complete(product string, actions []string) error {
	texts := map[string]string{}
	for _, action := range actions {
		id, text, ok := strings.Cut(action, "=")
		if !ok || text == "" {
			return fmt.Errorf("--action %q is not of the form ID=TEXT", action)
		}
		texts[id] = text
	}
	var faults []error
	for i := range d.Statements {
		statement := &d.Statements[i]
		for p := range statement.Products {
			statement.Products[p].ID = product
		}
		if statement.Status != "affected" {
			continue
		}
		statement.ActionStatement = texts[statement.Vulnerability.Name]
		if statement.ActionStatement == "" {
			faults = append(faults, fmt.Errorf("this release is affected by %s (%s): update the module, or say with "+
				"--action what users can do", statement.Vulnerability.Name, statement.Vulnerability.Description))
		}
	}
	return errors.Join(faults...)
}

// imagePURL names an image as a package URL: registry.example/team/name@sha256:... is
// pkg:oci/name@sha256:...?repository_url=registry.example/team/name.
func imagePURL(image string) (string, error) {
	repository, digest, ok := strings.Cut(image, "@")
	if !ok || !strings.HasPrefix(digest, "sha256:") {
		return "", fmt.Errorf("image %q has no digest", image)
	}
	name := repository[strings.LastIndex(repository, "/")+1:]
	return "pkg:oci/" + name + "@" + strings.Replace(digest, ":", "%3A", 1) + "?repository_url=" + repository, nil
}
