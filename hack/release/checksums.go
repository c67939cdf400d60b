// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// checksumsName is the file with the checksums of all others, as sha256sum writes and checks it.
const checksumsName = "SHA256SUMS"

func runChecksums(args []string, _ io.Reader, _ io.Writer) error {
	if len(args) != 1 {
		return errors.New("name the folder")
	}
	content, err := checksums(args[0])
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(args[0], checksumsName), []byte(content), 0o644)
}

func checksums(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var content strings.Builder
	for _, entry := range entries {
		if entry.Name() == checksumsName {
			continue
		}
		sum, err := sha256Of(filepath.Join(dir, entry.Name()))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&content, "%s  %s\n", sum, entry.Name())
	}
	if content.Len() == 0 {
		return "", fmt.Errorf("%s is empty", dir)
	}
	return content.String(), nil
}

func sha256Of(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
