// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package preview

import (
	"bytes"
	"cmp"
	"compress/flate"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// Store keeps completions and Grants until they are planned, person by person: lists come in another order. It keeps
// of each what a plan needs, packed: a hundred thousand take some ten megabytes.
type Store struct {
	persons map[v1alpha1.GrantHolder]*stored
	// completions and grants pack objects of their kind.
	completions, grants packer
}

// stored is what there is of one person.
type stored struct {
	completions, grants [][]byte
	concerned           bool
}

// NewStore returns an empty one.
func NewStore() *Store { return &Store{persons: map[v1alpha1.GrantHolder]*stored{}} }

func (s *Store) person(holder v1alpha1.GrantHolder) *stored {
	found := s.persons[holder]
	if found == nil {
		found = &stored{}
		s.persons[holder] = found
	}
	return found
}

// AddCompletion adds a completion, and notes whether a change concerns who has it.
func (s *Store) AddCompletion(completion *v1alpha1.CourseCompletion, concerned bool) error {
	spec := &completion.Spec
	person := s.person(v1alpha1.GrantHolder{InstitutionID: spec.Institution.ID, UserID: spec.User.ID})
	person.concerned = person.concerned || concerned
	kept := &v1alpha1.CourseCompletion{ObjectMeta: metadataOf(completion.ObjectMeta), Spec: *spec}
	packed, err := s.completions.pack(kept)
	person.completions = append(person.completions, packed)
	return err
}

// AddGrant adds a Grant, and notes whether a change concerns its holder.
func (s *Store) AddGrant(grant *v1alpha1.Grant, concerned bool) error {
	person := s.person(grant.Spec.Holder)
	person.concerned = person.concerned || concerned
	kept := &v1alpha1.Grant{ObjectMeta: metadataOf(grant.ObjectMeta), Spec: grant.Spec, Status: grant.Status}
	kept.Status.Conditions = slices.Clone(kept.Status.Conditions)
	for i := range kept.Status.Conditions {
		kept.Status.Conditions[i].Message = ""
	}
	packed, err := s.grants.pack(kept)
	person.grants = append(person.grants, packed)
	return err
}

// Concern notes that a change concerns a person, of whom there may be nothing yet.
func (s *Store) Concern(holder v1alpha1.GrantHolder) { s.person(holder).concerned = true }

func metadataOf(meta metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: meta.Namespace, Name: meta.Name, Generation: meta.Generation,
		CreationTimestamp: meta.CreationTimestamp, DeletionTimestamp: meta.DeletionTimestamp}
}

// Each calls look with everybody whom the change concerns, by user and institution.
func (s *Store) Each(look func(Person) error) error {
	var holders []v1alpha1.GrantHolder
	for holder, stored := range s.persons {
		if stored.concerned {
			holders = append(holders, holder)
		}
	}
	slices.SortFunc(holders, func(a, b v1alpha1.GrantHolder) int {
		return cmp.Or(cmp.Compare(a.UserID, b.UserID), cmp.Compare(a.InstitutionID, b.InstitutionID))
	})
	for _, holder := range holders {
		stored := s.persons[holder]
		person := Person{Holder: holder, Completions: make([]v1alpha1.CourseCompletion, len(stored.completions)),
			Grants: make([]v1alpha1.Grant, len(stored.grants))}
		for i, packed := range stored.completions {
			if err := s.completions.unpack(packed, &person.Completions[i]); err != nil {
				return err
			}
		}
		for i, packed := range stored.grants {
			if err := s.grants.unpack(packed, &person.Grants[i]); err != nil {
				return err
			}
		}
		if err := look(person); err != nil {
			return err
		}
	}
	return nil
}

// packer compresses objects that resemble each other: the first one is the dictionary of all.
type packer struct {
	dictionary []byte
	writer     *flate.Writer
	reader     io.ReadCloser
	buffer     bytes.Buffer
}

func (p *packer) pack(object any) ([]byte, error) {
	text, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	if p.writer == nil {
		p.dictionary = text
		if p.writer, err = flate.NewWriterDict(nil, flate.DefaultCompression, p.dictionary); err != nil {
			return nil, fmt.Errorf("compress: %w", err)
		}
	}
	p.buffer.Reset()
	p.writer.Reset(&p.buffer)
	if _, err := p.writer.Write(text); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	if err := p.writer.Close(); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return bytes.Clone(p.buffer.Bytes()), nil
}

func (p *packer) unpack(packed []byte, object any) error {
	if p.reader == nil {
		p.reader = flate.NewReaderDict(bytes.NewReader(packed), p.dictionary)
	} else if err := p.reader.(flate.Resetter).Reset(bytes.NewReader(packed), p.dictionary); err != nil {
		return fmt.Errorf("decompress: %w", err)
	}
	text, err := io.ReadAll(p.reader)
	if err != nil {
		return fmt.Errorf("decompress: %w", err)
	}
	if err := json.Unmarshal(text, object); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	return nil
}
