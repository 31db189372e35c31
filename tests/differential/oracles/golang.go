// Pairs with a tab on standard input; the order by golang.org/x/mod/semver ("v" added where it is
// not there), or ? where it refuses one.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/semver"
)

func withV(v string) string {
	if strings.HasPrefix(v, "v") {
		return v
	}
	return "v" + v
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<20), 1<<20)
	for in.Scan() {
		a, b, _ := strings.Cut(in.Text(), "\t")
		a, b = withV(a), withV(b)
		if !semver.IsValid(a) || !semver.IsValid(b) {
			fmt.Println("?")
			continue
		}
		fmt.Println(string("<=>"[semver.Compare(a, b)+1]))
	}
}
