// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth is how deep objects and arrays may nest. The contract needs three levels; the rest is room for a sender that
// grows.
const maxDepth = 32

// place is one that the contract knows.
type place int

const (
	atDocument place = iota
	atEvent
	atData
	atInstitution
	atCourse
	atEnrollment
	atUser

	atEventName
	atEventSlug
	atEventSendAt
	atInstitutionID
	atCourseID
	atCourseName
	atEnrollmentID
	atEnrollmentDateExpire
	atEnrollmentCourseID
	atEnrollmentActived
	atEnrollmentStatus
	atUserID
	atUserName
	atUserEmail
	atUserCPF
	atUserNickname
	atUserUUID

	placeCount
)

// pointers says where the places are, as JSON pointers (RFC 6901).
var pointers = [placeCount]jsontext.Pointer{
	atDocument:    "",
	atEvent:       "/event",
	atData:        "/data",
	atInstitution: "/data/institution",
	atCourse:      "/data/course",
	atEnrollment:  "/data/enrollment",
	atUser:        "/data/user",

	atEventName:            "/event/name",
	atEventSlug:            "/event/slug",
	atEventSendAt:          "/event/send_at",
	atInstitutionID:        "/data/institution/id",
	atCourseID:             "/data/course/id",
	atCourseName:           "/data/course/name",
	atEnrollmentID:         "/data/enrollment/id",
	atEnrollmentDateExpire: "/data/enrollment/date_expire",
	atEnrollmentCourseID:   "/data/enrollment/course_id",
	atEnrollmentActived:    "/data/enrollment/actived",
	atEnrollmentStatus:     "/data/enrollment/status",
	atUserID:               "/data/user/id",
	atUserName:             "/data/user/name",
	atUserEmail:            "/data/user/email",
	atUserCPF:              "/data/user/cpf",
	atUserNickname:         "/data/user/nickname",
	atUserUUID:             "/data/user/uuid",
}

// parents has the object that each place is in, and members the places of each object by name; nil where the contract
// knows no member of it.
var parents, members = func() (up [placeCount]place, down [placeCount]map[string]place) {
	at := make(map[jsontext.Pointer]place, placeCount)
	for p, pointer := range pointers {
		at[pointer] = place(p)
	}
	for p, pointer := range pointers {
		if place(p) == atDocument {
			continue
		}
		parent := at[pointer.Parent()]
		up[p] = parent
		if down[parent] == nil {
			down[parent] = make(map[string]place)
		}
		down[parent][pointer.LastToken()] = place(p)
	}
	return up, down
}()

// value is what a delivery has at a place. The kind is that of jsontext: the first byte of the value, with `0` for
// every number, and 0 where there is nothing. The text is the content of a string and the literal of a number or
// boolean.
type value struct {
	kind jsontext.Kind
	text string
}

// Document is a delivery as far as the contract knows it.
type Document struct {
	values [placeCount]value
	// unknown counts the members of the contract's objects that the contract does not know, with all they contain as one.
	unknown int
}

// surrogates has halves of surrogate pairs, as of a name that was cut within an emoji, read as the replacement
// character. What has to be exact has no place for it, and bodies that are not UTF-8 are refused before.
var surrogates = jsontext.AllowInvalidUTF8(true)

// decoders are used again, since what they need for each delivery is more than the delivery itself.
var decoders = sync.Pool{New: func() any { return &decoder{json: jsontext.NewDecoder(new(bytes.Buffer), surrogates)} }}

// byteOrderMark is what some programs write in front of UTF-8. A receiver may ignore it (RFC 8259, 8.1).
const byteOrderMark = "\ufeff"

// Decode reads a delivery. It refuses what is not exactly one JSON value in UTF-8, names that occur twice in an object,
// and what nests too deep; it does not judge types or values. Its fault never quotes the delivery, not even a name.
func Decode(body []byte) (*Document, *Fault) {
	if !utf8.Valid(body) {
		return nil, &Fault{Pointer: string(pointers[atDocument]), Detail: "must be valid UTF-8"}
	}
	d := decoders.Get().(*decoder)
	defer d.release()
	unmarked := bytes.TrimPrefix(body, []byte(byteOrderMark))
	d.json.Reset(bytes.NewBuffer(unmarked), surrogates)
	d.doc, d.skipped = &Document{}, int64(len(body)-len(unmarked))
	if err := d.readDocument(); err != nil {
		return nil, d.fault(err)
	}
	return d.doc, nil
}

var (
	errTooDeep  = errors.New("too deep")
	errTrailing = errors.New("trailing data")
)

// decoder walks through a delivery once and keeps only what the contract knows.
type decoder struct {
	json *jsontext.Decoder
	doc  *Document
	// skipped is how many bytes of the body come before what is read.
	skipped int64
	// name is room for the name of a member.
	name []byte
}

// release lets go of the delivery and leaves the decoder to the next one.
func (d *decoder) release() {
	d.json.Reset(new(bytes.Buffer), surrogates)
	d.doc = nil
	decoders.Put(d)
}

// readDocument reads all there is.
func (d *decoder) readDocument() error {
	if err := d.readValue(atDocument); err != nil {
		return err
	}
	switch _, err := d.json.ReadToken(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	default:
		return errTrailing
	}
}

// readValue keeps the value that comes next and belongs to a known place.
func (d *decoder) readValue(at place) error {
	token, err := d.json.ReadToken()
	if err != nil {
		return err
	}
	v := value{kind: token.Kind()}
	switch v.kind {
	case jsontext.KindBeginObject:
		d.doc.values[at] = v
		if members[at] != nil {
			return d.readMembers(at)
		}
		return d.skipRest()
	case jsontext.KindBeginArray:
		d.doc.values[at] = v
		return d.skipRest()
	default:
		v.text = token.String()
		d.doc.values[at] = v
		return nil
	}
}

// readMembers reads the members of a known object, whose opening brace has been read.
func (d *decoder) readMembers(at place) error {
	for d.json.PeekKind() == jsontext.KindString {
		quoted, err := d.json.ReadValue()
		if err != nil {
			return err
		}
		// Not as a token, whose text would be another one for each member of each delivery. The error is about halves of
		// surrogate pairs, which no name of the contract has.
		d.name, _ = jsontext.AppendUnquote(d.name[:0], quoted)
		if member, known := members[at][string(d.name)]; known {
			err = d.readValue(member)
		} else {
			d.doc.unknown++
			err = d.skipValue()
		}
		if err != nil {
			return err
		}
	}
	// The closing brace, or the error of what is in its place.
	_, err := d.json.ReadToken()
	return err
}

// skipValue checks the syntax of the value that comes next and forgets it.
func (d *decoder) skipValue() error {
	token, err := d.json.ReadToken()
	if err != nil {
		return err
	}
	if token.Kind() == jsontext.KindBeginObject || token.Kind() == jsontext.KindBeginArray {
		return d.skipRest()
	}
	return nil
}

// skipRest does the same for the rest of an object or array whose opening has been read.
func (d *decoder) skipRest() error {
	for depth := d.json.StackDepth(); d.json.StackDepth() >= depth; {
		if d.json.StackDepth() > maxDepth {
			return errTooDeep
		}
		if _, err := d.json.ReadToken(); err != nil {
			return err
		}
	}
	return nil
}

// fault says what is wrong in words of its own: the decoder's error may quote the delivery.
func (d *decoder) fault(err error) *Fault {
	offset, at := d.json.InputOffset(), d.json.StackPointer()
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		offset, at = syntactic.ByteOffset, syntactic.JSONPointer
	}
	what := "is not valid JSON"
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		what = "ends before the JSON value is complete"
	case errors.Is(err, jsontext.ErrDuplicateName):
		what = "has a duplicate member name"
		at = at.Parent()
	case errors.Is(err, errTooDeep):
		what = fmt.Sprintf("is nested more than %d levels deep", maxDepth)
	case errors.Is(err, errTrailing):
		what = "is followed by more data; send a single JSON object"
	}
	return &Fault{
		Pointer: string(pointers[knownPlace(at)]), Detail: fmt.Sprintf("%s (at byte %d)", what, offset+d.skipped),
	}
}

// knownPlace returns the nearest place around p that the contract knows, since the sender's own names may say anything.
func knownPlace(p jsontext.Pointer) place {
	at := atDocument
	for token := range p.Tokens() {
		next, known := members[at][token]
		if !known {
			break
		}
		at = next
	}
	return at
}
