package cluster

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// volume is a mounted Secret or ConfigMap. As in the kubelet, all files of a volume change atomically.
type volume struct {
	dir   string
	files map[string][]byte // as last written
}

// sync updates the files to the current data of the Secret or ConfigMap.
func (v *volume) sync(ctx context.Context, api kubernetes.Interface, namespace string, source corev1.Volume) error {
	files := map[string][]byte{}
	switch {
	case source.Secret != nil:
		secret, err := api.CoreV1().Secrets(namespace).Get(ctx, source.Secret.SecretName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		files = secret.Data
	case source.ConfigMap != nil:
		cm, err := api.CoreV1().ConfigMaps(namespace).Get(ctx, source.ConfigMap.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for name, text := range cm.Data {
			files[name] = []byte(text)
		}
	default:
		return fmt.Errorf("volume %s: only Secrets and ConfigMaps are supported", source.Name)
	}
	if v.files != nil && maps.EqualFunc(v.files, files, bytes.Equal) {
		return nil
	}
	return v.write(files)
}

// write writes all files to a new directory, then switches the symbolic link ..data to it. The files are
// links into ..data.
func (v *volume) write(files map[string][]byte) error {
	data := fmt.Sprintf("..%d", time.Now().UnixNano())
	if err := os.MkdirAll(filepath.Join(v.dir, data), 0o700); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(v.dir, data, name), text, 0o600); err != nil {
			return err
		}
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(v.dir, name)); err != nil && !os.IsExist(err) {
			return err
		}
	}
	next := filepath.Join(v.dir, "..data_next")
	if err := os.Symlink(data, next); err != nil {
		return err
	}
	v.files = files
	return os.Rename(next, filepath.Join(v.dir, "..data"))
}
