// Command pulumi-resource-libvirt is the plugin that Pulumi's engine starts for the Python SDK pulumi-libvirt 0.5.4.
package main

import (
	"vm-vs-container/toolchain/libvirt/provider"
	"vm-vs-container/toolchain/plugin"
)

func main() { plugin.Main(provider.Provider()) }
