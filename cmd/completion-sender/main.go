/*
Copyright 2026 The Course Completion Operator Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

// The program completion-sender behaves as the learning platform does, so that an installation can be tried before the
// platform is pointed at it: it posts completions of invented people to a webhook URL, new, repeated, reordered, newer
// and wrong, says what came of them, and can check that the cluster holds all that was acknowledged.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
	"github.com/lxp-dev/course-completion-operator/internal/sender"
)

const usage = `Usage: completion-sender --url URL [flags]

Posts completions of invented people (example.edu) to a webhook URL, as the learning platform does, and says what came
of them. Who and what is sent follows from --seed alone, so the same seed and --start again repeat every delivery.
Use an Institution of a test: what its policies grant is granted. docs/sender.md tells more.

Exit code: 0 when every good delivery was acknowledged, every wrong one was refused in the right way, and the cluster
holds what was acknowledged (--check); 1 when not; 2 when it was called wrongly.

Flags:
`

// maxRandomSeed keeps seeds short enough to type, and the ids that follow from them apart.
const maxRandomSeed = 999_999

// options are the flags.
type options struct {
	urls       list
	urlFile    string
	courses    string
	mix        string
	start      string
	seed       uint64
	duration   time.Duration
	ledger     string
	check      bool
	checkFor   time.Duration
	kubeconfig string
	send       sender.Options
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string { return "" }

func (l *list) Set(text string) error {
	*l = append(*l, text)
	return nil
}

func bind(flags *flag.FlagSet) *options {
	o := &options{}
	flags.Var(&o.urls, "url", "Webhook `URL`, with its token. Give several for several institutions or replicas.")
	flags.StringVar(&o.urlFile, "url-file", "",
		"`File` with a webhook URL on each line, - for stdin: keeps tokens out of the list of processes.")
	flags.StringVar(&o.courses, "courses", "123456,123457,123458", "Ids of the courses that people complete.")
	flags.StringVar(&o.mix, "mix", sender.DefaultMix().String(), "How often each `kind` of delivery is sent, as shares.")
	flags.Uint64Var(&o.seed, "seed", 0, "Chooses the people and what is sent; 0 takes one at random and says which.")
	flags.StringVar(&o.start, "start", "",
		"The send_at of the first deliveries, yyyy-MM-dd HH:mm:ss (default: the current time in UTC, less a day).")
	flags.IntVar(&o.send.Count, "count", 100, "How many deliveries are sent; 0 for no end before --duration or ctrl-C.")
	flags.DurationVar(&o.duration, "duration", 0, "How long to send at most; 0 for no bound.")
	flags.Float64Var(&o.send.Rate, "rate", 10, "Deliveries a second; 0 for as many as the connections take.")
	flags.IntVar(&o.send.Connections, "connections", 4, "How many deliveries are under way at the same time.")
	flags.DurationVar(&o.send.Timeout, "timeout", 30*time.Second, "How long one delivery may take.")
	flags.StringVar(&o.ledger, "ledger", "",
		"`File` to write what came of each good delivery to, as JSON lines without personal data.")
	flags.BoolVar(&o.check, "check", false,
		"At the end, check in the cluster that each acknowledged delivery exists exactly once with the newest content.")
	flags.DurationVar(&o.checkFor, "check-timeout", time.Minute, "How long the cluster may take to hold everything.")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "",
		"The kubeconfig for --check (default: as kubectl). Its user lists CourseCompletions of all namespaces.")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	return o
}

func main() {
	o := bind(flag.CommandLine)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second ctrl-C ends at once.
	context.AfterFunc(ctx, stop)
	plan, err := o.plan(os.Stdin, time.Now())
	if err == nil && flag.NArg() > 0 {
		err = fmt.Errorf("takes no arguments, got %q", flag.Args())
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "completion-sender: %v\n", err)
		os.Exit(2)
	}
	if err := run(ctx, o, plan, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "completion-sender: %v\n", err)
		os.Exit(1)
	}
}

// plan reads the flags that say what is sent.
func (o *options) plan(stdin io.Reader, now time.Time) (sender.Plan, error) {
	urls, err := o.readURLs(stdin)
	if err != nil {
		return sender.Plan{}, err
	}
	if o.seed == 0 {
		o.seed = rand.Uint64N(maxRandomSeed) + 1
	}
	p := sender.Plan{Seed: o.seed, Start: now.UTC().AddDate(0, 0, -1).Truncate(time.Second)}
	if p.Institutions, err = sender.ParseInstitutions(urls); err != nil {
		return p, err
	}
	if p.Mix, err = sender.ParseMix(o.mix); err != nil {
		return p, fmt.Errorf("--mix: %w", err)
	}
	if o.start != "" {
		if p.Start, err = time.Parse(time.DateTime, o.start); err != nil {
			return p, fmt.Errorf("--start is %q: write yyyy-MM-dd HH:mm:ss", o.start)
		}
	}
	for text := range strings.SplitSeq(o.courses, ",") {
		id, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err != nil || id < 1 {
			return p, fmt.Errorf("%q in --courses is no course id: use integers from 1, with commas between", text)
		}
		p.Courses = append(p.Courses, v1alpha1.PlatformID(id))
	}
	return p, o.send.Validate()
}

// readURLs returns those of --url and --url-file.
func (o *options) readURLs(stdin io.Reader) ([]string, error) {
	urls := o.urls
	if o.urlFile != "" {
		if o.urlFile != "-" {
			file, err := os.Open(o.urlFile)
			if err != nil {
				return nil, fmt.Errorf("opening --url-file: %w", err)
			}
			defer file.Close()
			stdin = file
		}
		lines := bufio.NewScanner(stdin)
		for lines.Scan() {
			if line := strings.TrimSpace(lines.Text()); line != "" {
				urls = append(urls, line)
			}
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("reading --url-file: %w", err)
		}
	}
	if len(urls) == 0 {
		return nil, errors.New("no webhook URL: give --url or --url-file, see --help")
	}
	return urls, nil
}

// run sends, reports and checks.
func run(ctx context.Context, o *options, plan sender.Plan, out io.Writer) error {
	generator, err := sender.NewGenerator(plan)
	if err != nil {
		return err
	}
	ledger := &sender.Ledger{}
	o.send.Ledger = ledger
	fmt.Fprintf(out, "sending for %d institutions, --seed %d --start %q --mix %s\n",
		len(plan.Institutions), plan.Seed, plan.Start.Format(time.DateTime), plan.Mix)
	sending := ctx
	if o.duration > 0 {
		var cancel context.CancelFunc
		sending, cancel = context.WithTimeout(ctx, o.duration)
		defer cancel()
	}
	report, err := sender.Run(sending, generator.Next, o.send)
	if err != nil {
		return err
	}
	report.Print(out)
	failures := []error{report.Err()}
	if o.ledger != "" {
		failures = append(failures, writeLedger(o.ledger, ledger))
	}
	if o.check {
		failures = append(failures, o.checkCluster(ctx, plan, ledger, out))
	}
	return errors.Join(failures...)
}

func writeLedger(path string, ledger *sender.Ledger) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening --ledger: %w", err)
	}
	if err := errors.Join(ledger.Write(file), file.Close()); err != nil {
		return fmt.Errorf("writing --ledger: %w", err)
	}
	return nil
}

// checkCluster compares the cluster with what was acknowledged.
func (o *options) checkCluster(ctx context.Context, plan sender.Plan, ledger *sender.Ledger, out io.Writer) error {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.kubeconfig
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return fmt.Errorf("reading the kubeconfig for --check: %w", err)
	}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return err
	}
	reader, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("reaching the cluster for --check: %w", err)
	}
	for _, institution := range plan.Institutions {
		if err := ledger.Await(ctx, reader, institution.ID, "", true, o.checkFor); err != nil {
			return err
		}
		deliveries, completions := ledger.Acknowledged(institution.ID)
		fmt.Fprintf(out, "checked: institution %d has all %d completions once, each as the newest of %d deliveries\n",
			institution.ID, completions, deliveries)
	}
	return nil
}
