package plugin

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
)

// Type is the shape of a value. Element is set for lists and maps, Properties for objects.
type Type struct {
	Kind       string               `json:"kind"` // string, boolean, integer, number, any, list, map, object
	Element    *Type                `json:"element,omitempty"`
	Properties map[string]*Property `json:"properties,omitempty"`
}

// Property is one property, under its wire name. Input: a program may give it. Required: a program must give it,
// for neither the upstream provider nor an override has a default.
type Property struct {
	Type     Type `json:"type"`
	Input    bool `json:"input"`
	Required bool `json:"required"`
}

// Provider is everything a plugin knows; Resources and DataSources go by their Pulumi tokens.
type Provider struct {
	Name        string                          `json:"name"`
	Version     string                          `json:"version"`
	Config      map[string]*Property            `json:"config"`
	Resources   map[string]map[string]*Property `json:"resources"`
	DataSources map[string]map[string]*Property `json:"dataSources"`
}

// Describe writes, as JSON with a stable order of keys, which resources, data sources and properties the plugin knows.
//
// A test holds this against what the Python SDK sends and reads: a plugin that names one thing differently would
// fail only when somebody uses that thing.
func Describe(to io.Writer, info tfbridge.ProviderInfo) error {
	description, err := describe(info)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(to)
	encoder.SetIndent("", " ")
	return encoder.Encode(description)
}

func describe(info tfbridge.ProviderInfo) (*Provider, error) {
	config, err := properties(info.P.Schema(), info.Config)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	description := Provider{
		Name:        info.Name,
		Version:     info.Version,
		Config:      config,
		Resources:   map[string]map[string]*Property{},
		DataSources: map[string]map[string]*Property{},
	}
	for name, upstream := range info.P.ResourcesMap().Range {
		override := info.Resources[name]
		known, err := properties(upstream.Schema(), override.Fields)
		if err != nil {
			return nil, fmt.Errorf("resource %s: %w", name, err)
		}
		description.Resources[string(override.Tok)] = known
	}
	for name, upstream := range info.P.DataSourcesMap().Range {
		override := info.DataSources[name]
		known, err := properties(upstream.Schema(), override.Fields)
		if err != nil {
			return nil, fmt.Errorf("data source %s: %w", name, err)
		}
		description.DataSources[string(override.Tok)] = known
	}
	return &description, nil
}

func properties(schemas shim.SchemaMap, overrides map[string]*tfbridge.SchemaInfo) (map[string]*Property, error) {
	known := map[string]*Property{}
	for name, schema := range schemas.Range {
		override := overrides[name]
		shape, err := typeOf(schema, override)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		required := schema.Required()
		if required {
			given, err := schema.DefaultValue()
			if err != nil {
				return nil, fmt.Errorf("default of %s: %w", name, err)
			}
			required = given == nil && !(override != nil && override.HasDefault())
		}
		known[tfbridge.TerraformToPulumiNameV2(name, schemas, overrides)] = &Property{
			Type:     *shape,
			Input:    schema.Optional() || schema.Required(),
			Required: required,
		}
	}
	return known, nil
}

func typeOf(schema shim.Schema, override *tfbridge.SchemaInfo) (*Type, error) {
	switch schema.Type() {
	case shim.TypeBool:
		return &Type{Kind: "boolean"}, nil
	case shim.TypeInt:
		return &Type{Kind: "integer"}, nil
	case shim.TypeFloat:
		return &Type{Kind: "number"}, nil
	case shim.TypeString:
		return &Type{Kind: "string"}, nil
	case shim.TypeDynamic:
		return &Type{Kind: "any"}, nil
	case shim.TypeList, shim.TypeSet, shim.TypeMap:
		element, err := elementOf(schema, override)
		if err != nil {
			return nil, err
		}
		if schema.Type() == shim.TypeMap {
			if element.Kind == "object" { // the bridge reads a map of a block as the block itself
				return element, nil
			}
			return &Type{Kind: "map", Element: element}, nil
		}
		if tfbridge.IsMaxItemsOne(schema, override) {
			return element, nil
		}
		return &Type{Kind: "list", Element: element}, nil
	default:
		return nil, fmt.Errorf("unknown type %v", schema.Type())
	}
}

func elementOf(schema shim.Schema, override *tfbridge.SchemaInfo) (*Type, error) {
	var inner *tfbridge.SchemaInfo
	if override != nil {
		inner = override.Elem
	}
	switch element := schema.Elem().(type) {
	case shim.Resource:
		var fields map[string]*tfbridge.SchemaInfo
		if inner != nil {
			fields = inner.Fields
		}
		known, err := properties(element.Schema(), fields)
		return &Type{Kind: "object", Properties: known}, err
	case shim.Schema:
		return typeOf(element, inner)
	default: // upstream leaves it out for maps of strings
		return &Type{Kind: "string"}, nil
	}
}
