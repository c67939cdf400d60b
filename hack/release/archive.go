// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func runArchive(args []string, _ io.Reader, _ io.Writer) error {
	flags, parse := flagSet("archive")
	epoch := epochFlag(flags)
	output := flags.String("output", "", "the archive to write, ending in .tar.gz or .zip")
	if err := parse(args, "epoch", "output"); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("name the files to put into the archive")
	}
	content, err := makeArchive(*output, epoch(), flags.Args())
	if err != nil {
		return err
	}
	return os.WriteFile(*output, content, 0o644)
}

// makeArchive puts files into an archive, without their folders. Names are sorted, all times are modified, and nobody
// owns anything: whoever packs the same files at another time, under another name, gets the same bytes.
func makeArchive(name string, modified time.Time, paths []string) ([]byte, error) {
	var content bytes.Buffer
	var add func(name string, mode os.FileMode, data []byte) error
	var finish func() error
	switch {
	case strings.HasSuffix(name, ".tar.gz"):
		add, finish = tarGz(&content, modified)
	case strings.HasSuffix(name, ".zip"):
		add, finish = zipped(&content, modified)
	default:
		return nil, fmt.Errorf("%s is not an archive name: use .tar.gz or .zip", name)
	}
	paths = slices.SortedFunc(slices.Values(paths), byBase)
	for i, path := range paths {
		base := filepath.Base(path)
		if i > 0 && base == filepath.Base(paths[i-1]) {
			return nil, fmt.Errorf("%s and %s would have the same name in the archive", paths[i-1], path)
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		// What the umask of a machine took away is no difference between releases.
		mode := os.FileMode(0o644)
		if info.Mode()&0o100 != 0 {
			mode = 0o755
		}
		if err := add(base, mode, data); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if err := finish(); err != nil {
		return nil, err
	}
	return content.Bytes(), nil
}

func tarGz(w io.Writer, modified time.Time) (add func(string, os.FileMode, []byte) error, finish func() error) {
	// NewWriterLevel fails only for levels that there are not.
	compressed, _ := gzip.NewWriterLevel(w, gzip.BestCompression)
	archive := tar.NewWriter(compressed)
	add = func(name string, mode os.FileMode, data []byte) error {
		err := archive.WriteHeader(&tar.Header{
			Typeflag: tar.TypeReg, Name: name, Mode: int64(mode), Size: int64(len(data)), ModTime: modified,
			Format: tar.FormatUSTAR,
		})
		if err != nil {
			return err
		}
		_, err = archive.Write(data)
		return err
	}
	return add, func() error { return errors.Join(archive.Close(), compressed.Close()) }
}

func zipped(w io.Writer, modified time.Time) (add func(string, os.FileMode, []byte) error, finish func() error) {
	archive := zip.NewWriter(w)
	add = func(name string, mode os.FileMode, data []byte) error {
		header := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: modified}
		header.SetMode(mode)
		file, err := archive.CreateHeader(header)
		if err != nil {
			return err
		}
		_, err = file.Write(data)
		return err
	}
	return add, archive.Close
}
