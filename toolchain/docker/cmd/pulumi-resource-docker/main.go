// Command pulumi-resource-docker is the plugin that Pulumi's engine starts for the Python SDK pulumi-docker 5.1.0.
package main

import (
	"vm-vs-container/toolchain/docker/provider"
	"vm-vs-container/toolchain/plugin"
)

func main() { plugin.Main(provider.Provider()) }
