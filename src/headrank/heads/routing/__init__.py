"""RouteHead's labels and router: which heads suit which query (arXiv 2604.24608)."""
