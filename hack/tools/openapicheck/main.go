// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// openapicheck checks an OpenAPI document, and calls that were recorded against it: openapicheck DOCUMENT [CALLS].
// CALLS is a file with a JSON object in each line: method, path, status, header and body of an answer, and what had
// been sent where that was accepted. It reports every answer that the document does not describe, every described one
// that no call got, but for 500, and what was accepted although the document does not say that it may be sent.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	failures "github.com/pb33f/libopenapi-validator/errors"
	"github.com/pb33f/libopenapi-validator/schema_validation"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
)

// call is one call and its answer.
type call struct {
	Method string      `json:"method"`
	Path   string      `json:"path"`
	Status int         `json:"status"`
	Header http.Header `json:"header"`
	Body   string      `json:"body"`
	Sent   string      `json:"sent"`
}

func main() {
	if len(os.Args) < 2 || len(os.Args) > 3 {
		fmt.Fprintln(os.Stderr, "usage: openapicheck DOCUMENT [CALLS]")
		os.Exit(2)
	}
	if err := check(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "openapicheck: %v\n", err)
		os.Exit(1)
	}
}

func check(path string, calls []string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	document, err := libopenapi.NewDocument(text)
	if err != nil {
		return fmt.Errorf("%s is no OpenAPI document: %w", path, err)
	}
	model, err := document.BuildV3Model()
	if err != nil {
		return fmt.Errorf("%s does not hold together: %w", path, err)
	}
	rules, errs := validator.NewValidator(document)
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	if ok, found := rules.ValidateDocument(); !ok {
		return describe(path, found)
	}
	if len(calls) == 0 {
		return nil
	}
	return checkCalls(&model.Model, rules, calls[0])
}

func checkCalls(model *v3.Document, rules validator.Validator, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	unseen := described(model)
	var faults []error
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c call
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		where := fmt.Sprintf("%s %s: %d", c.Method, c.Path, c.Status)
		template := "/webhooks/{institution}"
		if strings.Count(c.Path, "/") == 3 {
			template += "/{token}"
		}
		key := fmt.Sprintf("%s %s %d", c.Method, template, c.Status)
		if _, ok := unseen[key]; !ok {
			// No document can describe the answers of paths and methods that there are not, but they have a form.
			faults = append(faults, checkProblem(model, where, c))
			continue
		}
		unseen[key] = true
		faults = append(faults, checkResponse(rules, where, c), checkSent(model, template, where, c))
	}
	for key, seen := range unseen {
		if !seen && !strings.HasSuffix(key, " 500") {
			faults = append(faults, fmt.Errorf("no call got %s", key))
		}
	}
	return errors.Join(append(faults, lines.Err())...)
}

// described returns every answer that the document has.
func described(model *v3.Document) map[string]bool {
	found := make(map[string]bool)
	for path, item := range model.Paths.PathItems.FromOldest() {
		for method, operation := range item.GetOperations().FromOldest() {
			for status := range operation.Responses.Codes.FromOldest() {
				found[strings.ToUpper(method)+" "+path+" "+status] = false
			}
		}
	}
	return found
}

func checkResponse(rules validator.Validator, where string, c call) error {
	request, err := http.NewRequest(c.Method, "http://localhost"+c.Path, http.NoBody)
	if err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	response := &http.Response{
		StatusCode: c.Status, Header: c.Header, Body: io.NopCloser(strings.NewReader(c.Body)), Request: request,
	}
	if ok, found := rules.ValidateHttpResponse(request, response); !ok {
		return describe(where, found)
	}
	return nil
}

// checkSent holds what was accepted against the document.
func checkSent(model *v3.Document, template, where string, c call) error {
	if c.Sent == "" {
		return nil
	}
	taken := model.Paths.PathItems.GetOrZero(template).Post.RequestBody.Content.GetOrZero("application/json")
	if ok, found := schema_validation.NewSchemaValidator().ValidateSchemaString(taken.Schema.Schema(), c.Sent); !ok {
		return describe(where+" was accepted: "+c.Sent, found)
	}
	return nil
}

func checkProblem(model *v3.Document, where string, c call) error {
	if c.Status != http.StatusNotFound && c.Status != http.StatusMethodNotAllowed {
		return fmt.Errorf("%s is not described", where)
	}
	schema := model.Components.Schemas.GetOrZero("Problem").Schema()
	if ok, found := schema_validation.NewSchemaValidator().ValidateSchemaString(schema, c.Body); !ok {
		return describe(where, found)
	}
	return nil
}

func describe(where string, found []*failures.ValidationError) error {
	var all []error
	for _, fault := range found {
		all = append(all, fmt.Errorf("%s: %s: %s", where, fault.Message, fault.Reason))
		for _, detail := range fault.SchemaValidationErrors {
			all = append(all, fmt.Errorf("%s: %s: %s", where, detail.FieldPath, detail.Reason))
		}
	}
	return errors.Join(all...)
}
