// Package provider bridges the upstream libvirt provider for the SDK pulumi-libvirt 0.5.4.
package provider

import (
	"github.com/dmacvicar/terraform-provider-libvirt/libvirt"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	shimv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
)

// Version that the SDK asks for.
const Version = "0.5.4"

// Provider names everything as the SDK does: only what the default naming gets wrong is listed.
func Provider() tfbridge.ProviderInfo {
	info := tfbridge.ProviderInfo{
		P:            shimv2.NewProvider(libvirt.Provider()),
		Name:         "libvirt",
		Version:      Version,
		MetadataInfo: tfbridge.NewProviderMetadata([]byte("{}")),
		Resources: map[string]*tfbridge.ResourceInfo{
			"libvirt_cloudinit_disk": {Tok: tfbridge.MakeResource("libvirt", "index", "CloudInitDisk")},
		},
	}
	info.MustComputeTokens(tokens.SingleModule("libvirt_", "index", tokens.MakeStandard("libvirt")))
	info.SetAutonaming(255, "-")
	return info
}
