"""The program's door, where Pulumi looks for it: beside Pulumi.yaml."""

from infra import door

door.enter()
