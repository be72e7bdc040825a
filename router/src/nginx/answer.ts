/** What nginx answers itself, in the way of HTTP or of gRPC. */
import { grpcStatus, isGRPC } from '../main.ts';
import { showPage } from './pages.ts';
import { headerOf } from './request.ts';

/** Ends the request; does not return, in phases that may yield. */
export function answer(pointer: FFIPointer, status: number): never {
  if (isGRPC(headerOf(pointer, 'content-type'))) answerGRPC(status);
  showPage(pointer, status);
  ngx.exit(status);
}

/** Trailers only: all in the header of the answer. */
function answerGRPC(status: number): never {
  ngx.status = 200;
  ngx.header['Content-Type'] = 'application/grpc';
  ngx.header['grpc-status'] = tostring(grpcStatus(status));
  ngx.header['grpc-message'] = `gateway: ${status}`;
  ngx.header['Content-Length'] = '0';
  ngx.send_headers();
  ngx.exit(200);
}
