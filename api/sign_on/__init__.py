"""Single sign-on: people prove who they are at an OpenID provider (v1 2.1, 2.2 `…/oidc`)."""
