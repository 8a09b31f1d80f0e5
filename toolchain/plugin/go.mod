module vm-vs-container/toolchain/plugin

go 1.25.9

require github.com/pulumi/pulumi-terraform-bridge/v3 v3.133.0
