/** A way to a server, and who comes along it. Certificates are PEM. */
export interface KubeconfigContent {
	readonly server: string;
	readonly ca: string;
	readonly cert: string;
	readonly key: string;
}

/** A kubeconfig with one context, `lateen`. */
export function printKubeconfig(content: KubeconfigContent): string {
	const base64 = (text: string): string => Buffer.from(text).toString("base64");
	return `apiVersion: v1
kind: Config
current-context: lateen
contexts:
  - name: lateen
    context: {cluster: lateen, user: admin}
clusters:
  - name: lateen
    cluster:
      server: ${content.server}
      certificate-authority-data: ${base64(content.ca)}
users:
  - name: admin
    user:
      client-certificate-data: ${base64(content.cert)}
      client-key-data: ${base64(content.key)}
`;
}
