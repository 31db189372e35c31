# stub: rake 13.0.3 ruby lib
Gem::Specification.new do |s|
  s.name = "rake".freeze
  s.version = Gem::Version.new('1')
  s.licenses = [%q<MIT>.freeze, "x#{y}"] if s.z
end
