// Package plugin is what our plugins have in common.
package plugin

import (
	"os"
	"time"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
)

// Programs run without a schema: only code generation and documentation read it.
var schema = []byte("{}")

// Main serves the provider to the engine that started this process, and ends with it.
func Main(info tfbridge.ProviderInfo) {
	go endWithParent()
	tfbridge.Main(info.Name, info.Version, info, schema)
}

// endWithParent ends this process half a second after a killed engine, instead of up to 5 minutes. A parent's death
// signal (prctl) would not do: Linux sends it when the starting thread ends, and the engine's threads come and go.
func endWithParent() {
	parent := os.Getppid()
	for os.Getppid() == parent {
		time.Sleep(500 * time.Millisecond)
	}
	os.Exit(1)
}
