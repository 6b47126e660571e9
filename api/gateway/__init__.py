"""Websockets that API Gateway holds for us: connections are rows, frames leave by HTTPS calls."""
