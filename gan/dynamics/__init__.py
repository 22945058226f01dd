"""The theory bench: small games whose dynamics are known in closed form, and every recipe's place among them."""
