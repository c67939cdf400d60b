// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package erasure reads and writes what an ErasureRegister says: of whom nothing is to be kept. It does no I/O.
package erasure

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

const (
	// keyBytes is the length of a key, digestBytes that of a digest.
	keyBytes    = 32
	digestBytes = 16
	// maxBytes is how much of a register is written: the API server takes objects of 1.5 MB, with the object around it.
	maxBytes = 1 << 20
)

var (
	// ErrFull says that a register takes nobody more.
	ErrFull = errors.New("the erasure register is full")
	// errKey says that the key is none. What is in the register cannot be read then, and nobody knows whom it is about.
	errKey = errors.New("the erasure register has no key that this version can read")
)

var encoding = base64.RawURLEncoding.Strict()

// Person is a user of an institution.
type Person struct{ Institution, User v1alpha1.PlatformID }

// Register is an ErasureRegister to look things up in. Nothing changes it, so that it may be used concurrently.
type Register struct {
	key         []byte
	users       map[v1alpha1.ErasureDigest]time.Time
	enrollments map[v1alpha1.ErasureDigest]bool
}

// NewSpec returns an empty register with a key of its own.
func NewSpec() v1alpha1.ErasureRegisterSpec {
	key := make([]byte, keyBytes)
	// It never fails: the program ends where there is no randomness.
	_, _ = rand.Read(key)
	return v1alpha1.ErasureRegisterSpec{Key: encoding.EncodeToString(key)}
}

// Read reads a register. It fails where the key cannot be read.
func Read(spec *v1alpha1.ErasureRegisterSpec) (*Register, error) {
	key, err := encoding.DecodeString(spec.Key)
	if err != nil || len(key) != keyBytes {
		return nil, errKey
	}
	r := &Register{
		key:   key,
		users: make(map[v1alpha1.ErasureDigest]time.Time, len(spec.People)), enrollments: map[v1alpha1.ErasureDigest]bool{},
	}
	for i := range spec.People {
		person := &spec.People[i]
		if at := person.ErasedAt.Time; at.After(r.users[person.User]) {
			r.users[person.User] = at
		}
		for _, digest := range person.Enrollments {
			r.enrollments[digest] = true
		}
	}
	return r, nil
}

// Covers tells whether what was sent about an enrollment of a person at a time is of what was erased: the enrollment
// was erased, whenever this was sent, or this was sent before the person was erased.
func (r *Register) Covers(person Person, enrollment v1alpha1.PlatformID, sentAt time.Time) bool {
	if len(r.users) == 0 {
		return false
	}
	at, erased := r.ErasedAt(person)
	return erased && !sentAt.After(at) || r.enrollments[r.enrollment(person, enrollment)]
}

// ErasedAt returns when a person was erased last.
func (r *Register) ErasedAt(person Person) (time.Time, bool) {
	at, erased := r.users[r.user(person)]
	return at, erased
}

func (r *Register) user(person Person) v1alpha1.ErasureDigest {
	return r.digest("user", person.Institution, person.User)
}

func (r *Register) enrollment(person Person, id v1alpha1.PlatformID) v1alpha1.ErasureDigest {
	return r.digest("enrollment", person.Institution, person.User, id)
}

// digest is the HMAC of a word and numbers, which nothing else is written like.
func (r *Register) digest(word string, ids ...v1alpha1.PlatformID) v1alpha1.ErasureDigest {
	message := []byte(word)
	for _, id := range ids {
		message = strconv.AppendInt(append(message, ' '), int64(id), 10)
	}
	sum := hmac.New(sha256.New, r.key)
	sum.Write(message)
	return v1alpha1.ErasureDigest(encoding.EncodeToString(sum.Sum(nil)[:digestBytes]))
}

// Add notes that a person was erased at a time, with the enrollments that were erased. What an earlier erasure of the
// person noted stays. It is ErrFull, and nothing is changed, where the register takes no more.
func Add(
	spec *v1alpha1.ErasureRegisterSpec, person Person, at time.Time, enrollments []v1alpha1.PlatformID,
) error {
	r, err := Read(spec)
	if err != nil {
		return err
	}
	entry := v1alpha1.ErasedPerson{User: r.user(person), ErasedAt: metav1.NewTime(at.UTC().Truncate(time.Second))}
	for _, id := range enrollments {
		entry.Enrollments = append(entry.Enrollments, r.enrollment(person, id))
	}
	people := make([]v1alpha1.ErasedPerson, 0, len(spec.People)+1)
	for i := range spec.People {
		before := &spec.People[i]
		if before.User != entry.User {
			people = append(people, *before)
			continue
		}
		if before.ErasedAt.After(entry.ErasedAt.Time) {
			entry.ErasedAt = before.ErasedAt
		}
		entry.Enrollments = append(entry.Enrollments, before.Enrollments...)
	}
	slices.Sort(entry.Enrollments)
	entry.Enrollments = slices.Compact(entry.Enrollments)
	if n := len(entry.Enrollments); n > v1alpha1.MaxErasedEnrollments {
		return fmt.Errorf("the person has %d enrollments, but the erasure register holds at most %d per person", n,
			v1alpha1.MaxErasedEnrollments)
	}
	people = append(people, entry)
	// In the order of time, which tells nothing of the ids.
	slices.SortStableFunc(people, func(a, b v1alpha1.ErasedPerson) int {
		return cmp.Or(a.ErasedAt.Compare(b.ErasedAt.Time), cmp.Compare(a.User, b.User))
	})
	text, err := json.Marshal(people)
	if err != nil {
		return err
	}
	if len(people) > v1alpha1.MaxErasedPeople || len(text) > maxBytes {
		return fmt.Errorf("%w: it has %d people", ErrFull, len(spec.People))
	}
	spec.People = people
	return nil
}

// Remove forgets that a person was erased, and reports whether it knew.
func Remove(spec *v1alpha1.ErasureRegisterSpec, person Person) (bool, error) {
	r, err := Read(spec)
	if err != nil {
		return false, err
	}
	user, before := r.user(person), len(spec.People)
	spec.People = slices.DeleteFunc(spec.People, func(p v1alpha1.ErasedPerson) bool { return p.User == user })
	return len(spec.People) < before, nil
}

// RemoveBefore forgets everybody who was erased before a time, and returns how many these were.
func RemoveBefore(spec *v1alpha1.ErasureRegisterSpec, at time.Time) int {
	before := len(spec.People)
	spec.People = slices.DeleteFunc(spec.People, func(p v1alpha1.ErasedPerson) bool { return p.ErasedAt.Time.Before(at) })
	return before - len(spec.People)
}

// EnrollmentIn returns the enrollment in the name of a completion of a person; false for every other name.
func EnrollmentIn(completion string, person Person) (v1alpha1.PlatformID, bool) {
	parts := strings.Split(completion, "-")
	if len(parts) != 4 || parts[0] != person.Institution.String() || parts[3] != person.User.String() {
		return 0, false
	}
	id, err := strconv.ParseInt(parts[2], 10, 64)
	return v1alpha1.PlatformID(id), err == nil && id > 0
}
