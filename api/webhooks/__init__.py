"""Other people's services that hear of alerts: who they are, what they are told, and when."""
