// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

const platform = "linux/arm64"

// testRecipe is one whose programs are some bytes.
func testRecipe(t *testing.T) recipe {
	t.Helper()
	dir := t.TempDir()
	for _, name := range programs() {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("the bytes of "+name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return recipe{
		version: "v0.1.0", revision: "0123abcd", created: time.Unix(1_790_000_000, 0).UTC(), licence: []byte("a licence"),
		programs: map[string]string{platform: dir},
	}
}

func write(t *testing.T, r recipe) (dir, digest string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "image")
	digest, err := r.write(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir, digest
}

func TestTheSameProgramsMakeTheSameImage(t *testing.T) {
	_, first := write(t, testRecipe(t))
	dir, second := write(t, testRecipe(t))
	if first != second {
		t.Errorf("one recipe made %s and %s", first, second)
	}
	other := testRecipe(t)
	other.version = "v0.1.1"
	if _, third := write(t, other); third == first {
		t.Error("another version made the same image")
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Errorf("the image is not whole: %v", err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if got := manifest.Manifests[0].Digest.String(); got != second {
		t.Errorf("the layout has %s, and the digest was said to be %s", got, second)
	}
}

func TestAuthoritiesAreCertificates(t *testing.T) {
	rest, blocks := authorities(), 0
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		blocks++
	}
	if blocks < 50 || len(bytes.TrimSpace(rest)) > 0 {
		t.Errorf("%d certificates, and %d bytes of something else", blocks, len(rest))
	}
}

func TestCheckAcceptsAndRefuses(t *testing.T) {
	r := testRecipe(t)
	good, err := r.image(platform)
	if err != nil {
		t.Fatal(err)
	}
	with := func(files ...file) v1.Image {
		layer, err := r.layer(files)
		if err != nil {
			t.Fatal(err)
		}
		image, err := mutate.AppendLayers(good, layer)
		if err != nil {
			t.Fatal(err)
		}
		return image
	}
	configured := func(change func(*v1.ConfigFile)) v1.Image {
		config, err := good.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		config = config.DeepCopy()
		change(config)
		image, err := mutate.ConfigFile(good, config)
		if err != nil {
			t.Fatal(err)
		}
		return image
	}
	for _, tc := range []struct {
		name  string
		image v1.Image
		want  string
	}{
		{"the image of the recipe", good, ""},
		{"a shell", with(file{"bin/", 0o755, nil}, file{"bin/sh", 0o755, []byte("#!")}), "bin/sh"},
		{"a program that others can write", with(file{"webhook-server", 0o777, []byte("x")}), "has the mode 777"},
		{"a program that nobody can run", with(file{"webhook-server", 0o644, []byte("x")}), "has the mode 644"},
		{"a missing program", with(file{".wh.webhook-server", 0o644, []byte("x")}), "lacks webhook-server"},
		{"no certificates", with(file{authoritiesPem, 0o644, []byte("none")}), "hardly any certificates"},
		{"100 MB, unpacked", with(file{"webhook-server", 0o755, make([]byte, maxSize)}), "unpacks to"},
		{"root", configured(func(c *v1.ConfigFile) { c.Config.User = "" }), `as ""`},
		{"another architecture", configured(func(c *v1.ConfigFile) { c.Architecture = "amd64" }), "linux/amd64"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := check(tc.image, platform, "v0.1.0", false)
			if tc.want == "" && err != nil {
				t.Errorf("refused: %v", err)
			}
			if tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("want an error that says %q, got %v", tc.want, err)
			}
		})
	}
}
