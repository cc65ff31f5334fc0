"""Videos as browsers play them: the file itself, remuxed, or encoded again."""
