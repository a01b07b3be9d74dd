/** What a connection manager does to paths before it looks for a route. */
export interface PathNormalization {
	/** Resolves `.` and `..`, and escapes what must be escaped (RFC 3986). */
	readonly normalize: boolean;
	/** Makes one slash of several. */
	readonly mergeSlashes: boolean;
}

/** The path (and query, which stays as it is) that routes are asked with. */
export function normalizePath(path: string, how: PathNormalization): string {
	if (path === "") return path;
	const [, name = "", rest = ""] = /^([^?#]*)(.*)$/s.exec(path) ?? [];
	const normal = how.normalize ? canonical(name) : name;
	return `${how.mergeSlashes ? normal.replaceAll(/\/{2,}/g, "/") : normal}${rest}`;
}

function canonical(path: string): string {
	// The URL standard's rules are those of Envoy, which besides undoes escapes that nobody needs.
	return new URL(`http://host${path}`).pathname.replaceAll(
		/%([0-9A-Fa-f]{2})/g,
		(escape, code: string) => {
			const character = String.fromCharCode(Number.parseInt(code, 16));
			return /[A-Za-z0-9._~-]/.test(character) ? character : escape;
		},
	);
}
