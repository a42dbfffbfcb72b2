"""Parts of other packages and of modules beside a grid, registered beside ours."""
