/** What we show the server of ourselves and hold its certificate against. Secret, but for `ca`; never logged. */
export interface Credentials {
	/** PEM of the authorities that may have signed the server's certificate; those of the system when undefined. */
	readonly ca: string | undefined;
	/** Value of the header `Authorization`. */
	readonly authorization: string | undefined;
	/** Our certificate with its chain, and its key, as PEM. */
	readonly certificate:
		| { readonly cert: string; readonly key: string }
		| undefined;
}

/** Where an API server is and how it knows us. */
export interface KubeAccess {
	/** `https://10.0.0.1:6443`, without a slash at the end. */
	readonly server: string;
	/** Name of the context of the kubeconfig, for messages; undefined where there is none. */
	readonly context?: string;
	/** The name that the server's certificate must have, when it is not the one in `server`. */
	readonly serverName: string | undefined;
	/** True when the server's certificate is not looked at. */
	readonly insecure: boolean;
	/** The namespace to use when none is named; `default` when the configuration names none either. */
	readonly namespace: string;
	/** Sent with every request: whom to act as, as kubeconfig says. */
	readonly headers: Readonly<Record<string, string | readonly string[]>>;
	/**
	 * The credentials as they are now: files are read anew, a program is asked again once what it said has expired.
	 *
	 * @param refused what the server did not accept (401): a program is asked again then, whatever it said
	 * Fails when: they cannot be had; then with a `KubeError` that names no secret.
	 */
	load(refused?: Credentials): Promise<Credentials>;
}
