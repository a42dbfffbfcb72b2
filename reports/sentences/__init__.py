"""The verdict in plain sentences, each made from figures that stand in it."""
