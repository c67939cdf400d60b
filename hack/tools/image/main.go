// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// The program image makes the image of a release and looks whether it is right, without a daemon, a registry or root.
// It stands on no other image: beside both programs there are only certificates of authorities, from a Go module that
// go.sum vouches for, and the few files that programs expect. The same programs make the same image.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

const usage = `usage:
  image build --output DIR --version V --revision COMMIT --epoch N --licence FILE --programs OS/ARCH=DIR...
  image check --version V [--run OS/ARCH] DIR
`

func main() {
	var err error
	switch {
	case len(os.Args) > 1 && os.Args[1] == "build":
		err = runBuild(os.Args[2:])
	case len(os.Args) > 1 && os.Args[1] == "check":
		err = runCheck(os.Args[2:])
	default:
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "image %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

func runBuild(args []string) error {
	flags := flag.NewFlagSet("build", flag.ContinueOnError)
	output := flags.String("output", "", "the folder for the image, an OCI layout; it must not exist")
	var r recipe
	flags.StringVar(&r.version, "version", "", "the version of the programs")
	flags.StringVar(&r.revision, "revision", "", "the commit that they were built from")
	epoch := flags.Int64("epoch", 0, "the time of the commit, in seconds since 1970")
	licence := flags.String("licence", "LICENSE", "the licence, which goes into the image")
	r.programs = map[string]string{}
	flags.Func("programs", "OS/ARCH=DIR: a platform, and the folder with its programs", func(value string) error {
		platform, dir, ok := strings.Cut(value, "=")
		if !ok || r.programs[platform] != "" {
			return errors.New("give OS/ARCH=DIR, each platform once")
		}
		r.programs[platform] = dir
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *output == "" || r.version == "" || *epoch == 0 || len(r.programs) == 0 || flags.NArg() > 0 {
		return errors.New("--output, --version, --epoch and --programs are needed, and nothing else")
	}
	if _, err := os.Stat(*output); err == nil {
		return fmt.Errorf("%s exists: remove it first", *output)
	}
	var err error
	if r.licence, err = os.ReadFile(*licence); err != nil {
		return err
	}
	r.created = time.Unix(*epoch, 0).UTC()
	digest, err := r.write(*output)
	if err != nil {
		return err
	}
	fmt.Println(digest)
	return nil
}

func runCheck(args []string) error {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	version := flags.String("version", "", "what the programs say to --version")
	run := flags.String("run", "", "the platform whose programs this machine can run")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 || *version == "" {
		return errors.New("--version and the folder of the image are needed")
	}
	index, err := layout.ImageIndexFromPath(flags.Arg(0))
	if err != nil {
		return err
	}
	if err := validate.Index(index); err != nil {
		return fmt.Errorf("the image is not whole: %w", err)
	}
	images, err := imagesOf(index)
	if err != nil {
		return err
	}
	if *run != "" && images[*run] == nil {
		return fmt.Errorf("there is no image for %s", *run)
	}
	for platform, image := range images {
		if err := check(image, platform, *version, platform == *run); err != nil {
			return fmt.Errorf("%s: %w", platform, err)
		}
	}
	return nil
}
