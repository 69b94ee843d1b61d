package webhook

import (
	"net/http"
	"strings"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// metricsAuth serves the metrics to clients that the API server authenticates by their token and authorizes to get the path. If the API
// server can't be reached, access is refused. controller-runtime has such a filter, too, but it links large parts of an API server.
func metricsAuth(config *rest.Config, client *http.Client) (metricsserver.Filter, error) {
	api, err := kubernetes.NewForConfigAndClient(config, client)
	if err != nil {
		return nil, err
	}
	return func(log logr.Logger, next http.Handler) (http.Handler, error) {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			if !ok || token == "" {
				http.Error(w, "a bearer token is required", http.StatusUnauthorized)
				return
			}
			review, err := api.AuthenticationV1().TokenReviews().Create(r.Context(),
				&authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}, metav1.CreateOptions{})
			if err != nil {
				log.Error(err, "could not authenticate the client with the API server")
				http.Error(w, "the token could not be reviewed", http.StatusInternalServerError)
				return
			}
			if !review.Status.Authenticated {
				http.Error(w, "the token is invalid", http.StatusUnauthorized)
				return
			}
			user := review.Status.User
			extra := map[string]authorizationv1.ExtraValue{}
			for key, value := range user.Extra {
				extra[key] = authorizationv1.ExtraValue(value)
			}
			access, err := api.AuthorizationV1().SubjectAccessReviews().Create(r.Context(), &authorizationv1.SubjectAccessReview{
				Spec: authorizationv1.SubjectAccessReviewSpec{
					User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra,
					NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: r.URL.Path, Verb: strings.ToLower(r.Method)},
				},
			}, metav1.CreateOptions{})
			if err != nil {
				log.Error(err, "could not authorize the client with the API server", "user", user.Username)
				http.Error(w, "the access could not be reviewed", http.StatusInternalServerError)
				return
			}
			if !access.Status.Allowed {
				http.Error(w, "not allowed to "+strings.ToLower(r.Method)+" "+r.URL.Path, http.StatusForbidden)
				return
			}
			next.ServeHTTP(w, r)
		}), nil
	}, nil
}
