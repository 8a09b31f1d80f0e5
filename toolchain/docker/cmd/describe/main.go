// Command describe prints, as JSON, what the docker plugin knows.
package main

import (
	"log"
	"os"

	"vm-vs-container/toolchain/docker/provider"
	"vm-vs-container/toolchain/plugin"
)

func main() {
	if err := plugin.Describe(os.Stdout, provider.Provider()); err != nil {
		log.Fatal(err)
	}
}
