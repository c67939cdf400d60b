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

package webhookserver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth is how deep objects and arrays may nest. The contract needs three levels; the rest is room for a sender that
// grows.
const maxDepth = 32

// Places in a delivery, as JSON pointers (RFC 6901).
const (
	atDocument    = ""
	atEvent       = "/event"
	atData        = "/data"
	atInstitution = "/data/institution"
	atCourse      = "/data/course"
	atEnrollment  = "/data/enrollment"
	atUser        = "/data/user"

	atEventName            = "/event/name"
	atEventSlug            = "/event/slug"
	atEventSendAt          = "/event/send_at"
	atInstitutionID        = "/data/institution/id"
	atCourseID             = "/data/course/id"
	atCourseName           = "/data/course/name"
	atEnrollmentID         = "/data/enrollment/id"
	atEnrollmentDateExpire = "/data/enrollment/date_expire"
	atEnrollmentCourseID   = "/data/enrollment/course_id"
	atEnrollmentActived    = "/data/enrollment/actived"
	atEnrollmentStatus     = "/data/enrollment/status"
	atUserID               = "/data/user/id"
	atUserName             = "/data/user/name"
	atUserEmail            = "/data/user/email"
	atUserCPF              = "/data/user/cpf"
	atUserNickname         = "/data/user/nickname"
	atUserUUID             = "/data/user/uuid"
)

// contract knows every place of the contract, and whether it is an object whose members it knows too.
var contract = map[jsontext.Pointer]bool{
	atDocument: true, atEvent: true, atData: true,
	atInstitution: true, atCourse: true, atEnrollment: true, atUser: true,
	atEventName: false, atEventSlug: false, atEventSendAt: false,
	atInstitutionID: false,
	atCourseID:      false, atCourseName: false,
	atEnrollmentID: false, atEnrollmentDateExpire: false, atEnrollmentCourseID: false,
	atEnrollmentActived: false, atEnrollmentStatus: false,
	atUserID: false, atUserName: false, atUserEmail: false,
	atUserCPF: false, atUserNickname: false, atUserUUID: false,
}

// value is what a delivery has at a place. The kind is that of jsontext: the first byte of the value, with `0` for
// every number. The text is the content of a string and the literal of a number or boolean.
type value struct {
	kind jsontext.Kind
	text string
}

// document is a delivery as far as the contract knows it.
type document struct {
	values map[jsontext.Pointer]value
	// unknown counts the members of the contract's objects that the contract does not know, with all they contain as one.
	unknown int
}

// decode reads a delivery. It refuses what is not exactly one JSON value in UTF-8, names that occur twice in an object,
// and what nests too deep; it does not judge types or values. Its fault never quotes the delivery, not even a name.
func decode(body []byte) (*document, *Fault) {
	if !utf8.Valid(body) {
		return nil, &Fault{Pointer: atDocument, Detail: "must be UTF-8 throughout"}
	}
	d := decoder{
		json: jsontext.NewDecoder(bytes.NewBuffer(body)),
		doc:  &document{values: make(map[jsontext.Pointer]value, len(contract))},
	}
	if err := d.readValue(atDocument); err != nil {
		return nil, d.fault(err)
	}
	switch _, err := d.json.ReadToken(); {
	case errors.Is(err, io.EOF):
		return d.doc, nil
	case err != nil:
		return nil, d.fault(err)
	default:
		return nil, d.fault(errTrailing)
	}
}

var (
	errTooDeep  = errors.New("too deep")
	errTrailing = errors.New("trailing data")
)

// decoder walks through a delivery once and keeps only what the contract knows.
type decoder struct {
	json *jsontext.Decoder
	doc  *document
}

// readValue keeps the value that comes next and belongs to a known place.
func (d *decoder) readValue(at jsontext.Pointer) error {
	token, err := d.json.ReadToken()
	if err != nil {
		return err
	}
	v := value{kind: token.Kind()}
	switch v.kind {
	case jsontext.KindBeginObject:
		d.doc.values[at] = v
		if contract[at] {
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
func (d *decoder) readMembers(at jsontext.Pointer) error {
	for d.json.PeekKind() != jsontext.KindEndObject {
		name, err := d.json.ReadToken()
		if err != nil {
			return err
		}
		member := at.AppendToken(name.String())
		if _, known := contract[member]; known {
			err = d.readValue(member)
		} else {
			d.doc.unknown++
			err = d.skipValue()
		}
		if err != nil {
			return err
		}
	}
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
		what = "has a member name twice"
		at = at.Parent()
	case errors.Is(err, errTooDeep):
		what = fmt.Sprintf("nests deeper than %d levels", maxDepth)
	case errors.Is(err, errTrailing):
		what = "is followed by more data; send one JSON object alone"
	}
	return &Fault{Pointer: string(knownPlace(at)), Detail: fmt.Sprintf("%s (at byte %d)", what, offset)}
}

// knownPlace returns the nearest place around p that the contract knows, since the sender's own names may say anything.
func knownPlace(p jsontext.Pointer) jsontext.Pointer {
	place := jsontext.Pointer(atDocument)
	for token := range p.Tokens() {
		next := place.AppendToken(token)
		if _, known := contract[next]; !known {
			break
		}
		place = next
	}
	return place
}
