# A Rack app: see journal.py.
JOURNAL = File.open(ENV["JOURNAL"] || "/dev/null", "a")
JOURNAL.sync = true

def note(sign, id)
  JOURNAL.syswrite("#{sign} #{id} #{Time.now.to_f}\n") unless id.empty?
end

run(lambda do |env|
  id = env["PATH_INFO"].delete_prefix("/")
  note("+", id)
  sleep(env["QUERY_STRING"].delete_prefix("ms=").to_f / 1000)
  note("-", id)
  body = "#{Process.pid}\n"
  [200, { "Content-Length" => body.bytesize.to_s }, [body]]
end)
