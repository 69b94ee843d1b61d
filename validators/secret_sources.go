package validators

import (
	"fmt"
	"slices"
	"strings"
)

// SecretSourceKind is a kind of object whose controller creates Secrets.
type SecretSourceKind struct {
	// Group, Resource and Kind of the objects, such as external-secrets.io, externalsecrets and ExternalSecret.
	Group    string `json:"group"`
	Resource string `json:"resource"`
	Kind     string `json:"kind"`
	// SecretNames are the fields that may hold the names of the Secrets, such as spec.target.name or spec.secretObjects[].secretName.
	// The first one that is set counts.
	SecretNames []string `json:"secretNames"`
	// NamePrefix says that the field holds a prefix of the Secrets' names, without the dash that follows.
	NamePrefix bool `json:"namePrefix,omitempty"`
}

// SecretSourceKinds are the well-known kinds whose controllers create Secrets.
// Sources: external-secrets/external-secrets apis/externalsecrets/v1, bitnami-labs/sealed-secrets pkg/apis/sealedsecrets/v1alpha1,
// cert-manager/cert-manager pkg/apis/certmanager/v1, hashicorp/vault-secrets-operator api/v1beta1, 1Password/onepassword-operator
// api/v1, kubernetes-sigs/secrets-store-csi-driver apis/v1, and the API types of the others.
var SecretSourceKinds = []SecretSourceKind{
	{Group: "external-secrets.io", Resource: "externalsecrets", Kind: "ExternalSecret", SecretNames: []string{"spec.target.name", objectName}},
	{Group: "bitnami.com", Resource: "sealedsecrets", Kind: "SealedSecret", SecretNames: []string{"spec.template.metadata.name", objectName}},
	{Group: "cert-manager.io", Resource: "certificates", Kind: "Certificate", SecretNames: []string{"spec.secretName"}},
	{Group: csiGroup, Resource: "secretproviderclasses", Kind: csiClassKind, SecretNames: []string{"spec.secretObjects[].secretName"}},
	{Group: vaultGroup, Resource: "vaultstaticsecrets", Kind: "VaultStaticSecret", SecretNames: []string{"spec.destination.name"}},
	{Group: vaultGroup, Resource: "vaultdynamicsecrets", Kind: "VaultDynamicSecret", SecretNames: []string{"spec.destination.name"}},
	{Group: vaultGroup, Resource: "vaultpkisecrets", Kind: "VaultPKISecret", SecretNames: []string{"spec.destination.name"}},
	{Group: vaultGroup, Resource: "hcpvaultsecretsapps", Kind: "HCPVaultSecretsApp", SecretNames: []string{"spec.destination.name"}},
	{Group: "onepassword.com", Resource: "onepassworditems", Kind: "OnePasswordItem", SecretNames: []string{objectName}},
	{Group: "secrets.infisical.com", Resource: "infisicalsecrets", Kind: "InfisicalSecret", SecretNames: []string{
		"spec.managedSecretReference.secretName", "spec.managedKubeSecretReferences[].secretName",
	}},
	{Group: "isindir.github.com", Resource: "sopssecrets", Kind: "SopsSecret", SecretNames: []string{"spec.secretTemplates[].name"}},
	{Group: "ricoberger.de", Resource: "vaultsecrets", Kind: "VaultSecret", SecretNames: []string{objectName}},
	{Group: "spv.no", Resource: "azurekeyvaultsecrets", Kind: "AzureKeyVaultSecret", SecretNames: []string{"spec.output.secret.name"}},
	{Group: "secretgenerator.mittwald.de", Resource: "stringsecrets", Kind: "StringSecret", SecretNames: []string{objectName}},
	{Group: "secretgenerator.mittwald.de", Resource: "basicauths", Kind: "BasicAuth", SecretNames: []string{objectName}},
	{Group: "objectbucket.io", Resource: "objectbucketclaims", Kind: "ObjectBucketClaim", SecretNames: []string{objectName}},
	{Group: "servicebinding.io", Resource: "servicebindings", Kind: "ServiceBinding", SecretNames: []string{"spec.name", objectName}},
	{Group: "kafka.strimzi.io", Resource: "kafkausers", Kind: "KafkaUser", SecretNames: []string{objectName}},
	{Group: "postgresql.cnpg.io", Resource: "clusters", Kind: "Cluster", SecretNames: []string{objectName}, NamePrefix: true},
}

const (
	objectName   = "metadata.name"
	csiGroup     = "secrets-store.csi.x-k8s.io"
	csiClassKind = "SecretProviderClass"
	vaultGroup   = "secrets.hashicorp.com"
)

// SecretSource is an object whose controller creates Secrets in the object's namespace.
type SecretSource struct {
	Kind, Name string
	// Secrets are the names of the Secrets, or their prefixes; none if the object creates none.
	Secrets    []string
	NamePrefix bool
}

// Creates reports whether the object's controller may create a Secret of this name.
func (s SecretSource) Creates(secret string) bool {
	return slices.ContainsFunc(s.Secrets, func(name string) bool {
		return name == secret || s.NamePrefix && strings.HasPrefix(secret, name+"-")
	})
}

// Source returns the source that an object of the kind is. The object is as decoded from JSON.
func (k SecretSourceKind) Source(object map[string]any) SecretSource {
	s := SecretSource{Kind: k.Kind, NamePrefix: k.NamePrefix}
	if names := stringsAt(object, strings.Split(objectName, ".")); len(names) > 0 {
		s.Name = names[0]
	}
	for _, field := range k.SecretNames {
		if s.Secrets = stringsAt(object, strings.Split(field, ".")); len(s.Secrets) > 0 {
			break
		}
	}
	return s
}

// stringsAt returns the non-empty strings at a path of fields. A part of the path that ends in [] is a list.
func stringsAt(value any, path []string) []string {
	if len(path) == 0 {
		if text, ok := value.(string); ok && text != "" {
			return []string{text}
		}
		return nil
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil
	}
	name, isList := strings.CutSuffix(path[0], "[]")
	if !isList {
		return stringsAt(object[name], path[1:])
	}
	var out []string
	if items, ok := object[name].([]any); ok {
		for _, item := range items {
			out = append(out, stringsAt(item, path[1:])...)
		}
	}
	return out
}

// Validate returns an error if a configured kind lacks a field that must be set.
func (k SecretSourceKind) Validate() error {
	switch {
	case k.Group == "" || k.Resource == "" || k.Kind == "":
		return fmt.Errorf("group, resource and kind must be set")
	case len(k.SecretNames) == 0:
		return fmt.Errorf("secretNames must name at least one field, such as spec.secretName")
	}
	return nil
}
