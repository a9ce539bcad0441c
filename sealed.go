package shoal

// What a secret is sealed for. A sealed value opens for its purpose alone, so
// that none can be moved to another place.
const (
	SealedCookies     = "account/cookies"
	SealedCredentials = "account/credentials"
	SealedLoginState  = "account/login-state"
)

// SealedDelivery is what the config of a channel is sealed for.
func SealedDelivery(c Channel) string { return "delivery/" + string(c) }
