"""From files to rows of the tables: walk, decide, decode, embed, write, publish."""
