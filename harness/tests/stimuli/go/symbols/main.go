// SPDX-License-Identifier: Apache-2.0

// Prints what Go itself says of its code, then waits for the end of its standard input:
//
//	at PC FUNCTION FILE:LINE      of addresses all over the program: runtime.FuncForPC
//	stack PC FUNCTION FILE:LINE   of one stack with calls that the compiler inlines: runtime.CallersFrames, innermost first
package main

import (
	"bufio"
	"fmt"
	"io"
	"io/ioutil"
	"os"
	"reflect"
	"runtime"
	"sort"
	"strings"
)

var pcs [32]uintptr
var npcs int

//go:noinline
func leaf() {
	npcs = runtime.Callers(1, pcs[:])
}

func inner(n int) int {
	if n > 0 {
		leaf()
	}
	return n + 1
}

func middle(n int) int { return inner(n) * 2 }

//go:noinline
func outer(n int) int {
	a := middle(n)
	return a + n
}

func main() {
	out := bufio.NewWriter(os.Stdout)
	outer(1)
	frames := runtime.CallersFrames(pcs[:npcs])
	for {
		f, more := frames.Next()
		fmt.Fprintf(out, "stack %x %s %s:%d\n", f.PC, f.Function, f.File, f.Line)
		if !more {
			break
		}
	}
	starts := []uintptr{pcs[0], funcPC(runtime.GC), funcPC(fmt.Fprintf), funcPC(sort.Strings), funcPC(strings.Repeat)}
	for _, start := range starts {
		for i := -3000; i < 3000; i++ {
			pc := start + uintptr(i*37)
			f := runtime.FuncForPC(pc)
			if f == nil {
				continue
			}
			file, line := f.FileLine(pc)
			fmt.Fprintf(out, "at %x %s %s:%d\n", pc, f.Name(), file, line)
		}
	}
	fmt.Fprintln(out, "done")
	out.Flush()
	io.Copy(ioutil.Discard, os.Stdin)
}

func funcPC(f interface{}) uintptr {
	return reflect.ValueOf(f).Pointer()
}
