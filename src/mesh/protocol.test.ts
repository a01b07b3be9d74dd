import { expect } from "chai";
import { protocolOf } from "./protocol.ts";

describe("protocolOf", () => {
	const cases = [
		{ name: "takes appProtocol", app: "http", port: "", want: "http" },
		{
			name: "puts appProtocol before the port's name",
			app: "tcp",
			port: "http",
			want: "tcp",
		},
		{ name: "reads https as TLS", app: "https", port: "", want: "tls" },
		{
			name: "reads Kubernetes' name of HTTP/2 without TLS",
			app: "kubernetes.io/h2c",
			port: "",
			want: "http2",
		},
		{
			name: "reads Kubernetes' name of WebSocket as HTTP",
			app: "kubernetes.io/ws",
			port: "",
			want: "http",
		},
		{ name: "reads databases as TCP", app: "redis", port: "", want: "tcp" },
		{ name: "ignores case", app: "GRPC", port: "", want: "grpc" },
		{
			name: "falls back to the port's name when appProtocol is unknown",
			app: "example.com/own",
			port: "grpc-web",
			want: "grpc",
		},
		{ name: "takes a port's name", app: undefined, port: "http", want: "http" },
		{
			name: "takes the part of a port's name before the dash",
			app: undefined,
			port: "http2-api",
			want: "http2",
		},
		{
			name: "does not take a prefix without a dash",
			app: undefined,
			port: "httpapi",
			want: "sniffed",
		},
		{
			name: "sniffs when nothing says",
			app: undefined,
			port: "",
			want: "sniffed",
		},
	] as const;
	for (const { name, app, port, want } of cases) {
		it(name, () => expect(protocolOf(app, port)).to.equal(want));
	}
});
