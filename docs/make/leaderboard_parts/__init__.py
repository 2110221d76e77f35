"""Parts of the leaderboard: what is published of each decoder, the network counted for it, prices, page and picture."""
