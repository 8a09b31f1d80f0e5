"""A machine made ready for `pulumi up`, each part only if it is missing.

ensure                 all parts, in their order
packages               Debian packages, as data
docker.engine          which Docker Engine; docker.client asks one, docker.private is ours, docker.rules its packet
                       filter rules
building.images        the images that a lab starts from; .base the file system, .workshop what builds
tools.toolchain        which Pulumi; .build from Go modules, .release the official one, .check does it start
accelerator            kvm or tcg, decided by booting
offline                set-up from one file, for a class without a network
ownership              whose files these are
checks, checks_*       what `./lab doctor` asks of the machine
"""
