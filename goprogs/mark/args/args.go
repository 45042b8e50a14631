// SPDX-License-Identifier: Apache-2.0

// Package args reads what programs of this folder are told on their command lines. It is built with every Go release from 1.11
// on, so it uses nothing newer.
package args

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Variant parses the command line and returns what -variant names, the first of names by default. Any other name ends the program.
func Variant(names ...string) string {
	choice := "one of " + strings.Join(names, ", ")
	variant := flag.String("variant", names[0], choice)
	flag.Parse()
	for _, name := range names {
		if *variant == name {
			return name
		}
	}
	fmt.Fprintf(os.Stderr, "-variant %q: it is %s\n", *variant, choice)
	os.Exit(2)
	return ""
}

// Sizes are numbers of bytes, written "100MB,512kB"; units are powers of 1024. It is a flag.Value.
type Sizes []int

func (s *Sizes) String() string {
	return fmt.Sprint([]int(*s))
}

func (s *Sizes) Set(list string) error {
	*s = nil
	for _, text := range strings.Split(list, ",") {
		number, unit := text, 1
		for suffix, factor := range map[string]int{"kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30} {
			if strings.HasSuffix(text, suffix) {
				number, unit = strings.TrimSuffix(text, suffix), factor
			}
		}
		n, err := strconv.Atoi(number)
		if err != nil || n <= 0 || n > (1<<40)/unit {
			return fmt.Errorf("%q is not a size: write a whole number and kB, MB or GB", text)
		}
		*s = append(*s, n*unit)
	}
	return nil
}
