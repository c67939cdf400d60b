// Copyright 2026 The Course Completion Operator Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/lxp-dev/course-completion-operator/api/v1alpha1"
)

// person is somebody who does not exist, as the platform describes its users.
type person struct {
	ID       v1alpha1.PlatformID `json:"id"`
	Name     string              `json:"name"`
	Email    string              `json:"email"`
	CPF      *string             `json:"cpf"`
	Nickname *string             `json:"nickname"`
	UUID     *string             `json:"uuid"`
}

var (
	givenNames = []string{
		"Ana", "Beatriz", "Cecília", "Davi", "Élida", "Francisco", "Glória", "Heitor", "Inês", "João", "Kauê", "Letícia",
		"Márcia", "Nuno", "Otávio", "Patrícia", "Quitéria", "Raimundo", "Sônia", "Thaís", "Ubirajara", "Vicência",
	}
	familyNames = []string{
		"Almeida", "Brandão", "Conceição", "d'Ávila", "Esteves", "Falcão", "Guimarães", "Henriques", "Ibañez", "Jardim",
		"Lemos", "Magalhães", "Nóbrega", "Ornelas", "Pacheco", "Queirós", "Rebouças", "Sant'Anna", "Tavares", "Vilhena",
	}
)

// plain leaves of a name what an address may hold.
var plain = strings.NewReplacer("á", "a", "ã", "a", "ç", "c", "é", "e", "ê", "e", "í", "i",
	"ó", "o", "ô", "o", "ñ", "n", "'", "")

// invent returns the person with an id, always the same one for a seed.
func invent(seed uint64, id v1alpha1.PlatformID) person {
	random := rand.New(rand.NewPCG(seed, uint64(id)))
	given := givenNames[random.IntN(len(givenNames))]
	family := familyNames[random.IntN(len(familyNames))]
	p := person{
		ID:    id,
		Name:  given + " " + family,
		Email: fmt.Sprintf("%s.%d@example.edu", plain.Replace(strings.ToLower(given+"."+family)), id),
	}
	// Nobody has one that starts with six zeros and ends in 99. Foreigners have none.
	if random.IntN(10) > 0 {
		p.CPF = new(fmt.Sprintf("000.000.%03d-99", random.IntN(1000)))
	}
	if random.IntN(3) == 0 {
		p.Nickname = new(strings.ToLower(given))
	}
	if random.IntN(2) == 0 {
		p.UUID = new(fmt.Sprintf("%08x-0000-4000-8000-%012x", random.Uint32(), random.Uint64N(1<<48)))
	}
	return p
}
