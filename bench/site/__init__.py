"""The stored results as a web site: pages that open from disk, without a server or a build tool."""
